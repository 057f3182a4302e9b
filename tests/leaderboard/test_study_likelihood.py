"""Whose actions are a study's: which run is asked of which weights, and when that is on record.

What weights say of completions is tests/leaderboard/test_likelihood.py's; here the answer is written down.
"""

import shutil
from types import SimpleNamespace

import pytest

from agentgen_bench.cli import main, verify
from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard import study_likelihood as asked
from agentgen_bench.leaderboard.audit import read_audit
from agentgen_bench.leaderboard.entry import Named
from agentgen_bench.leaderboard.likelihood import Likelihood
from agentgen_bench.leaderboard.study_submit import submit_study
from tests.leaderboard.studies import NAME, origins, weights

pytestmark = pytest.mark.usefixtures("small_protocol_shipped")
ENTRY = "20261128_Lab__tiny"
HOLDS = Likelihood(True, 0.001, 0.02, 0.001, 0.02, 0.0, "sampled", 900, 60, 0, 6)


@pytest.fixture(scope="module")
def made_entry(made_study, protocol, tmp_path_factory):
    board = tmp_path_factory.mktemp("board")
    return submit_study(made_study, Named("Lab", "tiny", "2026-11-28"), board, protocol=protocol, workers=1)


@pytest.fixture
def entry(made_entry, tmp_path):
    return shutil.copytree(made_entry, tmp_path / "board" / NAME / ENTRY)


@pytest.fixture
def seen(monkeypatch):
    """Let a folder's name stand for its weights, and every comparison hold; return what was compared."""
    from agentgen_bench.policies import transformers
    from agentgen_bench.policies import weights as weights_module

    found = []

    def compared(metadata, episodes, policy):
        found.append((metadata.policy["name"], {episode.seed for episode in episodes}, policy))
        return HOLDS

    monkeypatch.setattr(asked, "compared", compared)
    monkeypatch.setattr(transformers, "TransformersPolicy", lambda folder, *settings, dtype: folder)
    monkeypatch.setattr(verify, "open_checkpoint", lambda folder: SimpleNamespace(path=folder))
    monkeypatch.setattr(weights_module, "weights_hash", weights)
    return found


def test_a_run_is_found_by_the_weights_that_it_names(entry):
    assert asked.runs_of_weights(entry, weights("on-alfworld-seed-1")) == ["on-alfworld-seed-1"]
    with pytest.raises(EntryError, match=r"no run of the study names the weights .*; its runs are initial "):
        asked.runs_of_weights(entry, weights("another"))


def test_a_beacon_draws_the_episodes_of_a_run(entry, seen, protocol):
    draws = []
    for run, beacon in (("initial", "x"), ("initial", "x"), ("initial", "y"), ("on-alfworld-seed-0", "x")):
        asked.study_likelihood(entry, run, "policy", n_episodes=2, beacon=beacon)  # type: ignore[arg-type]
        draws.append(seen[-1])
    assert draws[0] == draws[1]
    assert all(len(seeds) in (1, 2) for _, seeds, _ in draws)


def test_only_a_study_that_was_asked_of_every_run_is_on_record(entry, seen, capsys):
    command = ["verify", str(entry), "--beacon", "x", "--record", "--workers", "1"]
    runs = list(origins())
    models = [part for run in runs for part in ("--model", run)]
    assert main([*command, *models[:2]]) == 0
    said = capsys.readouterr().err
    assert "initial: these weights" in said
    assert f"not asked of {', '.join(runs[1:])}; give their weights too" in said
    assert read_audit(entry.parent.parent) == []
    assert main([*command, *models]) == 0
    (record,) = read_audit(entry.parent.parent)
    assert (record.event, record.note) == ("likelihood", "all 7 runs, beacon 'x', 200 episodes each: these weights")
    assert [policy for _, _, policy in seen] == ["initial", *runs]


def test_completions_of_other_weights_end_the_check(entry, seen, monkeypatch, capsys):
    monkeypatch.setattr(asked, "compared", lambda *compared: HOLDS._replace(holds=False))
    assert main(["verify", str(entry), "--model", "initial", "--workers", "1"]) == 1
    assert main(["verify", str(entry), "--model", "another", "--workers", "1"]) == 1
    assert "no run of the study names the weights" in capsys.readouterr().err
