import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import DataError, PolicyError, RunError, SpecError
from agentgen_bench.evaluation.folder import plan_of, prompt_of, read_manifest, read_run
from agentgen_bench.evaluation.manifest import differences
from agentgen_bench.evaluation.plan import Plan, crossed, limited, plan_from_json, single_plan, suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.policies.scripted import NoopPolicy, OraclePolicy, RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import load_suite

SPEC = TaskSpec("Sokoban", richness="lean", split="test")
PLAN = single_plan([SPEC, SPEC.with_(richness="base")], 4)
PROMPT = PromptConfig()


def run(path, policy=None, plan=PLAN, prompt=PROMPT, **options):
    return evaluate(plan, policy or RandomPolicy(), prompt, path, **options)


def contents(path):
    """What decides the bytes of a run, and what came of it; not when, how long and on what it was played."""
    manifest, results = (json.loads((path / name).read_bytes()) for name in ("manifest.json", "results.json"))
    del manifest["sessions"], results["made"]
    return manifest, results


def test_a_run_folder_holds_manifest_episodes_and_results(tmp_path):
    results = run(tmp_path / "run")
    found = read_run(tmp_path / "run")
    assert found.is_complete
    assert found.plan == PLAN
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == results
    assert results["episodes"] == PLAN.n_episodes == len(found.episodes)


@pytest.mark.parametrize("interrupted_after", [1, 3, 7])
def test_an_interrupted_run_resumes_to_the_same_results(tmp_path, interrupted_after):
    run(tmp_path / "whole")
    seen: list[Episode] = []

    def interrupt(episode):
        seen.append(episode)
        if len(seen) == interrupted_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", on_episode=interrupt)
    assert not (tmp_path / "cut" / "results.json").exists()
    assert len(read_run(tmp_path / "cut").episodes) == interrupted_after
    run(tmp_path / "cut", resume=True)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_torn_last_line_is_played_again(tmp_path):
    run(tmp_path / "whole")
    run(tmp_path / "torn")
    file = tmp_path / "torn" / "episodes.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    run(tmp_path / "torn", resume=True)
    assert contents(tmp_path / "torn") == contents(tmp_path / "whole")
    assert read_run(tmp_path / "torn").is_complete


def test_resuming_a_complete_run_plays_nothing(tmp_path):
    run(tmp_path / "run")
    played = []
    run(tmp_path / "run", resume=True, on_episode=played.append)
    assert played == []


def test_the_number_of_workers_leaves_the_results_alone(tmp_path):
    run(tmp_path / "one", workers=1)
    run(tmp_path / "many", workers=64)
    assert contents(tmp_path / "one") == contents(tmp_path / "many")


def test_a_run_without_workers_is_no_finished_run(tmp_path):
    with pytest.raises(SpecError, match="workers=0 is out of range"):
        run(tmp_path, workers=0)
    assert not (tmp_path / "results.json").exists()


def test_cells_of_long_episodes_are_played_first(tmp_path):
    plan = single_plan([TaskSpec("Sokoban", knobs=(("max_steps", limit),)) for limit in (3, 9)], 2)
    played: list[int] = []
    run(tmp_path / "run", NoopPolicy(), plan, workers=1, on_episode=lambda one: played.append(one.max_steps))
    assert played == [9, 9, 3, 3]
    assert read_run(tmp_path / "run").plan == plan


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(RunError, match="already holds a run; add --resume"):
        run(tmp_path / "run")


def test_a_resume_with_other_settings_is_refused_with_the_difference(tmp_path):
    run(tmp_path / "run")
    message = r"cannot resume with other settings:\n  prompt.thinking: the run has True, now False"
    with pytest.raises(RunError, match=message):
        run(tmp_path / "run", resume=True, prompt=replace(PROMPT, thinking=False))


def test_a_resume_with_another_policy_is_refused(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(RunError, match=r"policy.name: the run has 'random', now 'noop'"):
        run(tmp_path / "run", NoopPolicy(), resume=True)


def test_how_a_run_was_started_does_not_hinder_a_resume():
    assert differences({"command": "a", "x": 1}, {"command": "b", "x": 1}) == []


def test_episodes_without_a_manifest_are_left_alone(tmp_path):
    (tmp_path / "episodes.jsonl").write_text("{}\n")
    with pytest.raises(RunError, match=r"has no manifest.json beside it"):
        run(tmp_path)
    assert (tmp_path / "episodes.jsonl").read_text() == "{}\n"


def test_two_processes_do_not_write_to_the_same_run(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time; file = open(sys.argv[1], 'ab'); fcntl.flock(file, fcntl.LOCK_EX);"
            "print('locked', flush=True); time.sleep(60)",
            str(tmp_path / "episodes.jsonl"),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()
        with pytest.raises(RunError, match="another process is writing"):
            run(tmp_path)
    finally:
        holder.kill()
        holder.communicate()


def test_a_full_disk_loses_no_whole_episode(tmp_path):
    program = f"""
import resource, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from agentgen_bench.errors import RunError
from tests.test_evaluation import run
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    run(Path(sys.argv[1]), workers=1)
except RunError as error:
    print(error)
"""
    path = tmp_path / "run"
    output = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    safe = len(read_run(path).episodes)
    assert 0 < safe < PLAN.n_episodes
    assert f"{safe} episodes are safe there. Free some space and run the same command with --resume" in output.stdout
    assert (path / "episodes.jsonl").read_bytes().endswith(b"\n")
    run(path, resume=True)
    assert read_run(path).is_complete


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot create the run folder .*file/run: Not a directory"):
        run(tmp_path / "file" / "run")


def test_a_command_with_bytes_that_are_no_utf_8_is_recorded_and_the_run_goes_on(tmp_path):
    command = "evaluate --output 'r\udcff'"  # as Python reads a file's name in another encoding
    run(tmp_path, command=command)
    assert read_manifest(tmp_path)["command"] == command
    run(tmp_path, command=command, resume=True)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_policy_that_fails_leaves_what_was_played(tmp_path):
    class Fails(RandomPolicy):
        def act(self, histories):
            if histories[0].key[1] == 2:
                raise PolicyError("the server is down")
            return super().act(histories)

    with pytest.raises(PolicyError, match="the server is down"):
        run(tmp_path, Fails(), workers=1)
    assert len(read_run(tmp_path).episodes) == 2


class FailsAt(RandomPolicy):
    """Raises an error at a step of an episode."""

    def __init__(self, step, error):
        super().__init__()
        self._step, self._error = step, error

    def act(self, histories):
        if histories[0].step == self._step:
            raise self._error
        return super().act(histories)


@pytest.mark.parametrize(
    ("step", "error"),
    [(1, PolicyError("the server is down")), (1, KeyError("a fault")), (3, SpecError("it cannot play this"))],
)
def test_a_policy_that_fails_before_anything_is_worth_keeping_leaves_the_folder_as_it_was(tmp_path, step, error):
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with pytest.raises(type(error)):
            run(tmp_path / name, FailsAt(step, error))
    assert [*tmp_path.rglob("*")] == [tmp_path / "empty"]
    run(tmp_path / "new", NoopPolicy())


def test_decisions_of_a_model_are_kept_though_no_episode_has_ended(tmp_path):
    with pytest.raises(PolicyError):
        run(tmp_path / "cut", FailsAt(3, PolicyError("the server is down")))
    assert (tmp_path / "cut" / "steps.jsonl").stat().st_size > 0
    assert run(tmp_path / "cut", resume=True)["overall"] == run(tmp_path / "whole")["overall"]


def test_a_resumed_run_stays_whatever_its_policy_does(tmp_path):
    with pytest.raises(PolicyError):
        run(tmp_path, FailsAt(3, PolicyError("the server is down")))
    with pytest.raises(SpecError):
        run(tmp_path, FailsAt(3, SpecError("it cannot play this")), resume=True)
    assert (tmp_path / "manifest.json").exists()


def test_the_oracle_scores_one_and_noop_zero(tmp_path):
    assert run(tmp_path / "oracle", OraclePolicy())["overall"]["success"]["value"] == 1.0
    assert run(tmp_path / "noop", NoopPolicy())["overall"]["success"]["value"] == 0.0


def test_a_plan_survives_its_manifest():
    plan = suite_plan(load_suite("smoke"), repeats=2)
    again = plan_from_json(json.loads(json.dumps(plan.to_json())))
    assert again.to_json() == plan.to_json()


def test_crossing_gives_every_combination_over_the_same_levels():
    plan = crossed(single_plan([SPEC], 3), richness=["lean", "rich"], distractors=["none", "paper-v1"])
    assert [(cell.spec.richness.label, cell.spec.distractors) for cell in plan.cells] == [
        ("lean", "none"),
        ("lean", "paper-v1"),
        ("rich", "none"),
        ("rich", "paper-v1"),
    ]
    assert {cell.seeds for cell in plan.cells} == {(0, 1, 2)}


def test_crossing_a_suite_along_the_text_keeps_its_frozen_levels():
    suite = load_suite("smoke")
    plan = crossed(suite_plan(suite), richness=["rich"])
    frozen = {cell.spec.with_(richness="rich"): cell.level_ids for cell in suite.cells}
    assert {cell.spec: cell.level_ids for cell in plan.cells} == frozen


def test_a_limit_keeps_the_first_levels_of_each_cell():
    assert [cell.seeds for cell in limited(PLAN, 2).cells] == [(0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("make_plan", "message"),
    [
        (lambda: Plan(None, None, ()), "the plan holds no episode"),
        (lambda: single_plan([SPEC], 1, repeats=0), "repeats=0 is out of range"),
        (lambda: single_plan([SPEC, SPEC], 1), "names the same environment setting twice"),
        (lambda: limited(PLAN, 0), "limit=0 is out of range"),
        (
            lambda: single_plan(["AgentGen/Sokoban-v0"], 1),
            r"'AgentGen/Sokoban-v0' is no setting; give a TaskSpec, such as",
        ),
    ],
)
def test_an_impossible_plan_is_refused(make_plan, message):
    with pytest.raises(SpecError, match=message):
        make_plan()


def test_a_run_read_without_texts_is_compact(tmp_path):
    evaluate(single_plan([SPEC], 2), RandomPolicy(), PromptConfig(), tmp_path / "run")
    whole, compact = read_run(tmp_path / "run"), read_run(tmp_path / "run", texts=False)
    assert compact.episodes == tuple(episode.compact() for episode in whole.episodes)
    assert whole.episodes[0].first_sections is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "manifest.json is not that of a run: it holds no plan"),
        ('{"plan": {}}', "manifest.json is not that of a run: it holds no policy"),
        ('{"plan": [], "policy": {}, "prompt": {}, "versions": {}}', "plan is not that of a run: it holds no suite"),
        ("{", "manifest.json is not JSON"),
        ('{"policy": {"seed": NaN}}', "manifest.json is not JSON: NaN is not a number"),
        ("[" * 100_000, "manifest.json is not JSON"),
    ],
)
def test_a_damaged_manifest_is_one_line(text, message, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_run(tmp_path)


def settings(path):
    return plan_of(path, read_manifest(path)), prompt_of(path, read_manifest(path))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m["plan"].update(repeats="x"), "plan is not that of a run: its repeats is 'x'"),
        (lambda m: m["plan"].update(repeats=True), "plan is not that of a run: its repeats is True"),
        (lambda m: m["plan"].update(repeats=0), "plan is not that of a run: SpecError: repeats=0 is out of range"),
        (lambda m: m["plan"].update(suite=[]), r"plan is not that of a run: its suite is \[\]"),
        (lambda m: m["plan"].update(suite={}), "suite is not that of a run: it holds no name"),
        (lambda m: m["plan"]["cells"][0].update(seeds=None), "cell 1 is not that of a run: its seeds is None"),
        (
            lambda m: m["plan"]["cells"][0]["spec"].update(env_id=3),
            "plan is not that of a run: SpecError: unknown environment id 3",
        ),
        (
            lambda m: m["plan"]["cells"][0]["spec"].update(knobs=[]),
            r"plan is not that of a run: SpecError: .* its knobs \[\] is no mapping",
        ),
        (lambda m: m.update(prompt=[]), r" is not that of a run: its prompt is \[\]"),
        (
            lambda m: m["prompt"].update(history_length="x"),
            "prompt is not that of a run: SpecError: history_length is 'x'",
        ),
        (lambda m: m["prompt"].update(colour=1), "prompt is not that of a run: TypeError"),
        (lambda m: m.update(versions="x"), " is not that of a run: its versions is 'x'"),
    ],
)
def test_a_value_that_a_manifest_cannot_have_is_named_with_its_file(edit, message, tmp_path):
    run(tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=rf"manifest\.json(, )?{message}"):
        settings(tmp_path / "run")


def test_of_a_folder_of_runs_one_is_named(tmp_path):
    run(tmp_path / "chat-full")
    with pytest.raises(RunError, match=r"is not a run folder.*; name one of the runs in it, such as .*/chat-full$"):
        read_run(tmp_path)


def test_an_entry_of_a_leaderboard_is_no_run(tmp_path):
    (tmp_path / "metadata.yaml").write_text("")
    with pytest.raises(RunError, match=r"an entry of a leaderboard is read by verify, export and leaderboard$"):
        read_run(tmp_path)


def test_a_manifest_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(RunError, match=r"cannot read .*manifest.json: Is a directory"):
        read_run(tmp_path)
