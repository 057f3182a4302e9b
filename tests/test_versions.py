"""Versions are data: what plays refuses a version or family it cannot make, whatever reads reads it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import gymnasium as gym
import pytest

from agentgen_bench import TaskSpec, envs, families, make, register
from agentgen_bench.cli import main
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.freeze import definitions, frozen_cell
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.families import Version
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.suites import Suite, from_text, to_text
from agentgen_bench.train.demonstrations import read_demonstrations

ENTRY = Path(__file__).parents[1] / "leaderboards" / "core-v1" / "20261128_agentgen-bench__noop"
SOKOBAN = families.family("Sokoban")
NEW_CLASS = SOKOBAN.versions[0]._replace(number=1)
OLD_ID = "AgentGen/Sokoban-base-v0"
OTHERS = {  # what else a record may say: a newer version and preset, a family of a package that is not here
    "newer": {
        "AgentGen/Sokoban-base-v0": "AgentGen/Sokoban-base-v7",
        '"distractors": "none"': '"distractors": "new-v3"',
    },
    "foreign": {"AgentGen/Sokoban-base-v0": "AgentGen/Towers-base-v3"},
}
REFUSALS = {
    "yesterdays": r"Sokoban v0 cannot be made by agentgen-bench .*, which has v1; agentgen-bench==0.1.0 can make it",
    "newer": r"Sokoban v7 cannot be made by agentgen-bench .*, which has v1; install a newer release of agentgen-bench",
    "foreign": r"unknown family 'Towers'; choose one of: Sokoban, .*or install its package",
}

STUDY = """
study: walk
seeds: [0]
initial: {{make: {{layers: 1, hidden_size: 32, vocab_size: 300, context_tokens: 1024}}}}
environments: {{a: {{env: {env_id}}}}}
evaluation: {{episodes: 2}}
grpo: {{steps: 1, levels_per_step: 1, group_size: 2}}
policies: [{{name: on-a, role: trained, train_on: a}}]
"""

Outcome = tuple[int, str, str]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two policies, written before the bump, and the same runs as others would have written them."""
    folder = tmp_path_factory.mktemp("recorded")
    for policy in ("random", "oracle"):
        path = folder / "yesterdays" / policy
        main(["evaluate", "--env", OLD_ID, "--episodes", "4", "--quiet", "--policy", policy, "--output", str(path)])
    collected = ["--levels", "3", "--quiet", "--output", str(folder / "yesterdays" / "collected")]
    main(["collect", "--envs", OLD_ID, "--policy", "oracle", *collected])
    evaluate(suite_plan(suite()), RandomPolicy(0), PromptConfig(), folder / "tiny")
    for name, changes in OTHERS.items():
        shutil.copytree(folder / "yesterdays", folder / name)
        for path in (folder / name).rglob("*.json*"):
            text = path.read_text(encoding="utf-8")
            for old, new in changes.items():
                text = text.replace(old, new)
            path.write_text(text, encoding="utf-8")
    return folder


@cache
def suite() -> Suite:
    """A suite that was frozen before the bump."""
    return from_text("tiny-v1", to_text("for tests", (frozen_cell(TaskSpec("Sokoban", split="test", version=0), 2),)))


def installed(versions: tuple[Version, ...]) -> None:
    """Make these the versions of Sokoban, as another release would have them."""
    old = {version.number for version in families.family("Sokoban").versions} - {each.number for each in versions}
    for env_id in [each for each in gym.registry if any(each == f"{stem(each)}-v{number}" for number in old)]:
        del gym.registry[env_id]
    envs.sokoban.FAMILY = replace(SOKOBAN, versions=versions, retired={0: "agentgen-bench==0.1.0"})
    families._found.cache_clear()
    register(families.family("Sokoban"))


def stem(env_id: str) -> str:
    head = env_id.rpartition("-v")[0]
    return head if head.startswith("AgentGen/Sokoban") else ""


@pytest.fixture
def bumped(recorded: Path) -> Iterator[Path]:
    """The runs, in a release where Sokoban is at version 1 and version 0 is gone."""
    installed((NEW_CLASS,))
    yield recorded
    installed(SOKOBAN.versions)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*argv: object) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in argv])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize("origin", REFUSALS)
@pytest.mark.parametrize(
    ("verb", "shown"),
    [
        (["score", "RUN"], "success"),
        (["score", "--initial", "OTHER", "--trained", "FAMILY=RUN"], "FAMILY"),
        (["compare", "OTHER", "RUN"], "FAMILY-base"),
        (["profile", "--run", "RUN"], "FAMILY-base"),
        (["report", "RUN", "--output", "OUT"], ""),
        (["export", "RUN", "--format", "csv", "--output", "OUT"], ""),
        (["export", "RUN", "--format", "lm-eval", "--output", "OUT"], ""),
    ],
)
def test_readers_read_what_other_versions_and_families_wrote(
    bumped: Path, origin: str, verb: list[str], shown: str, call: Callable[..., Outcome], tmp_path: Path
) -> None:
    spec = json.loads((bumped / origin / "oracle" / "manifest.json").read_text())["plan"]["cells"][0]["spec"]
    name = "Towers" if origin == "foreign" else "Sokoban"
    words = {"RUN": bumped / origin / "oracle", "OTHER": bumped / origin / "random", "OUT": tmp_path / "out"}
    words |= {"ID": spec["env_id"], "FAMILY=RUN": f"{name}={bumped / origin / 'oracle'}"}
    code, out, err = call(*(words.get(word, word) for word in verb))
    assert (code, err if code else "") == (0, "")
    assert shown.replace("FAMILY", name) in out


@pytest.mark.parametrize(
    ("verb", "shown"),
    [
        (["suites"], "core-v1"),
        (["suites", "core-v1"], "Sokoban-base easy test"),
        (["leaderboard", "--leaderboards", ENTRY.parents[1]], "core-v1"),
        (["audit", "check", "--leaderboards", ENTRY.parents[1]], "all in keeping"),
        (["export", ENTRY, "--format", "csv", "--output", "OUT"], ""),
    ],
)
def test_suites_and_entries_name_the_versions_they_were_made_with(
    bumped: Path, verb: list[object], shown: str, call: Callable[..., Outcome], tmp_path: Path
) -> None:
    code, out, err = call(*(tmp_path / "out" if word == "OUT" else word for word in verb))
    assert (code, err if code else "") == (0, "")
    assert shown in out
    assert "Sokoban-v1" not in out


@pytest.mark.parametrize("origin", REFUSALS)
@pytest.mark.parametrize(
    "verb",
    [
        ["evaluate", "--env", "ID", "--output", "OUT"],
        ["play", "ID"],
        ["evaluate", "--model", "none", "--env", "ID"],
        ["collect", "--envs", "ID", "--policy", "random", "--output", "OUT"],
        ["train", "grpo", "--model", "none", "--envs", "ID", "--output", "OUT"],
        ["study", "STUDY", "--dry-run"],
    ],
)
def test_what_plays_names_the_release_that_can(
    bumped: Path, origin: str, verb: list[str], call: Callable[..., Outcome], tmp_path: Path
) -> None:
    spec = json.loads((bumped / origin / "oracle" / "manifest.json").read_text())["plan"]["cells"][0]["spec"]
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.format(env_id=spec["env_id"]), encoding="utf-8")
    words = {"ID": spec["env_id"], "OUT": tmp_path / "out", "STUDY": study}
    code, _, err = call(*(words.get(word, word) for word in verb))
    assert code == 2
    assert re.search(rf"^agentgen-bench: error: {REFUSALS[origin]}$", err, re.MULTILINE)
    with pytest.raises(SpecError, match=REFUSALS[origin]):
        make(TaskSpec.from_json({**spec, "distractors": "none"}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", [["--env", "ID"], ["--suite", "core-v1"]])
def test_a_dry_run_of_what_cannot_be_made_here_outlines_it_and_fails_as_the_run_would(
    bumped: Path, what: list[str], call: Callable[..., Outcome]
) -> None:
    code, out, err = call("evaluate", *(OLD_ID if word == "ID" else word for word in what), "--dry-run")
    assert code == 2
    assert "episodes of at most an unknown number of steps  Sokoban-base" in out
    assert re.search(f"^agentgen-bench: error: Sokoban-base easy test: {REFUSALS['yesterdays']}$", err, re.MULTILINE)


def test_what_a_suite_is_made_of_names_its_versions(bumped: Path) -> None:
    specs = [spec for _, cells in definitions().values() for spec, _ in cells]
    assert {spec.version for spec in specs} == {0}
    assert {spec.family for spec in specs} == {"Sokoban", "WebShop", "ALFWorld", "SciWorld", "Blocks"}


def test_verification_names_the_release_that_can(bumped: Path, call: Callable[..., Outcome]) -> None:
    code, out, _ = call("verify", ENTRY)  # a finding about the entry, hence on stdout
    assert code != 0
    assert "Sokoban v0 cannot be made" in out
    assert "agentgen-bench==0.1.0 can make it" in out


def test_submission_names_the_release_that_can_and_writes_nothing(bumped: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=REFUSALS["yesterdays"]):
        submit(
            bumped / "tiny", org="Lab", model="m", date="2026-02-01", leaderboards=tmp_path, suite=suite(), workers=1
        )
    assert list(tmp_path.rglob("*.json*")) == []


@pytest.mark.parametrize("origin", ["yesterdays", "newer"])
def test_demonstrations_of_another_version_are_read(bumped: Path, origin: str, call: Callable[..., Outcome]) -> None:
    run = bumped / origin / "collected"
    code, _, err = call("collect", "--from", run)
    assert code == 0, err
    assert {item.environment for item in read_demonstrations(run / "samples.jsonl")} == {"sokoban"}


def test_prompts_of_a_family_that_is_not_here_cannot_be_written(bumped: Path, call: Callable[..., Outcome]) -> None:
    samples = bumped / "foreign" / "collected" / "samples.jsonl"
    before = samples.read_bytes()
    code, _, err = call("collect", "--from", samples.parent)  # a prompt begins with its role
    assert code == 2
    assert re.search(REFUSALS["foreign"], err)
    assert "cannot be written anew without its own words" in err
    assert samples.read_bytes() == before


def test_a_study_of_the_family_by_name_plays_its_newest_version(
    bumped: Path, call: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.format(env_id="sokoban"), encoding="utf-8")
    code, _, err = call("study", tmp_path / "study.yaml", "--dry-run")
    assert code == 0, err
    assert "training of on-a (1 seeds)" in err


def test_an_unknown_preset_of_distractors_is_refused_when_it_is_made() -> None:
    spec = TaskSpec("Sokoban", distractors="new-v3")
    with pytest.raises(SpecError, match="unknown distractors 'new-v3'; choose one of: none, paper-v1"):
        make(spec)


def test_versions_play_side_by_side(recorded: Path) -> None:
    installed((*SOKOBAN.versions, NEW_CLASS))
    try:
        assert TaskSpec("Sokoban").version == 1
        old, new = make(OLD_ID), make("AgentGen/Sokoban-base-v1")
        assert old.spec is not None
        assert new.spec is not None
        assert (old.spec.id, new.spec.id) == (OLD_ID, "AgentGen/Sokoban-base-v1")
        assert old.reset(seed=1)[0] == new.reset(seed=1)[0]
    finally:
        installed(SOKOBAN.versions)
