"""What a run survives: kills, crashes from outside, edited records."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import MissingDependencyError, PolicyError, RunError
from agentgen_bench.evaluation import journal, run
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.make import make
from agentgen_bench.policies.agents import AgentPolicy
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import play
from agentgen_bench.spec import TaskSpec
from tests.policies.stub_server import StubServer, completion

SOKOBAN = TaskSpec("Sokoban", richness="lean", split="test")
PLAN = single_plan([SOKOBAN], 6)
PROMPT = PromptConfig()


class Counted:
    """Plays as another policy does and counts the decisions; fails for good after `most` batches."""

    def __init__(self, policy=None, most=None):
        self._policy = policy or RandomPolicy()
        self.name, self.describe = self._policy.name, self._policy.describe
        self.most, self.asked = most, []

    def act(self, histories):
        if self.most == 0:
            raise PolicyError("the server is down")
        self.most = None if self.most is None else self.most - 1
        self.asked += [history.key for history in histories]
        return self._policy.act(histories)


def played(path, policy=None, plan=PLAN, **options):
    evaluate(plan, policy or RandomPolicy(), PROMPT, path, **options)
    return recorded(path)


def recorded(path):
    """Return what a run's bytes are: its lines in any order, and its results without when and where."""
    results = json.loads((path / "results.json").read_text())
    return sorted((path / "episodes.jsonl").read_text().splitlines()), {**results, "made": None}


def cut(path, policy, **options):
    with pytest.raises(PolicyError, match="the server is down"):
        played(path, policy, **options)


def lines(path):
    return [json.loads(line) for line in (path / "episodes.jsonl").read_text().splitlines()]


def write_lines(path, changed):
    (path / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changed))


# -- killed ------------------------------------------------------------------------------------------------------------


def answer_of(payload, n):
    """Answer by the prompt alone, slowly: what a server's model would say again."""
    said = hashlib.sha256(json.dumps(payload["messages"]).encode()).digest()
    action = ("up", "down", "left", "right")[said[0] % 4]
    return completion(f"<action>{action}</action>")._replace(delay_s=0.005 + said[1] / 255 * 0.03)


def start(server, path):
    command = [sys.executable, "-m", "agentgen_bench", "evaluate", "--base-url", server.url, "--model", "tiny"]
    more = ["--env", "AgentGen/Sokoban-lean-v0", "--episodes", "4", "--quiet", "--output", str(path)]
    return subprocess.Popen(
        [*command, *more, *(["--resume"] if path.exists() else [])], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def questions(server):
    """Return how often the server was asked for an action; each process asks one other question."""
    return sum("ok" not in payload["messages"][-1]["content"].split() for payload in server.payloads)


@pytest.mark.parametrize("most_kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_moment_loses_the_steps_under_way_and_no_more(tmp_path, most_kills):
    server, draw, kills = StubServer(), random.Random(7), 0
    server.answer = answer_of
    try:
        whole = start(server, tmp_path / "whole")
        assert (whole.communicate(timeout=120), whole.returncode)[1] == 0
        needed = questions(server)
        while kills < most_kills:
            before = questions(server)
            child = start(server, tmp_path / "cut")
            until = before + draw.randint(1, needed // most_kills)
            while questions(server) < until and child.poll() is None:
                time.sleep(0.002)
            child.send_signal(signal.SIGKILL)
            child.communicate()
            kills += 1
        child = start(server, tmp_path / "cut")
        assert (child.communicate(timeout=120), child.returncode)[1] == 0
    finally:
        server.close()
    assert recorded(tmp_path / "cut") == recorded(tmp_path / "whole")
    assert not (tmp_path / "cut" / "steps.jsonl").exists()
    assert questions(server) - needed <= needed + 4 * kills  # four episodes


# -- the journal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [1, 5, 11])
@pytest.mark.parametrize(
    "spec",
    [
        SOKOBAN,
        SOKOBAN.with_(interface="opaque", lifecycle="pack-4"),
        TaskSpec("WebShop", split="test", distractors="paper-v1"),
        TaskSpec("ALFWorld", split="test", interface="opaque"),
    ],
    ids=lambda spec: spec.label,
)
def test_no_decision_is_asked_for_twice(tmp_path, spec, batches):
    plan = single_plan([spec], 2)
    first, second = Counted(most=batches), Counted()
    whole = played(tmp_path / "whole", plan=plan)
    cut(tmp_path / "cut", first, plan=plan)
    assert played(tmp_path / "cut", second, plan=plan, resume=True) == whole
    assert first.asked
    assert not set(first.asked) & set(second.asked)


@pytest.mark.parametrize("batches", [4, 9, 14])
def test_a_run_that_is_cut_again_and_again_comes_to_the_same(tmp_path, batches, monkeypatch):
    monkeypatch.setattr(journal, "COMPACT_BYTES", 2000)
    whole = played(tmp_path / "whole")
    asked = []
    for _ in range(100):
        policy = Counted(most=batches)
        try:
            again = played(tmp_path / "cut", policy, workers=2, resume=True)
            break
        except PolicyError:
            asked += policy.asked
    assert again == whole
    assert len(asked) == len(set(asked))


def test_the_journal_is_bounded_and_goes_with_the_last_episode(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "COMPACT_BYTES", 2000)
    sizes = []

    def look(_):
        sizes.append((tmp_path / "run" / "steps.jsonl").stat().st_size)

    played(tmp_path / "run", plan=single_plan([SOKOBAN], 30), workers=1, on_decisions=look)
    assert max(sizes) < 30_000
    assert not (tmp_path / "run" / "steps.jsonl").exists()


@pytest.mark.parametrize("damage", [b'{"episode": 0, "st', b"\x00" * 300, b'{"episode": 0}\n[1]\n"x"\n\xff\n'])
def test_a_torn_journal_costs_what_was_torn(tmp_path, damage):
    whole = played(tmp_path / "whole")
    cut(tmp_path / "cut", Counted(most=6))
    file = tmp_path / "cut" / "steps.jsonl"
    file.write_bytes(file.read_bytes() + damage)
    assert played(tmp_path / "cut", resume=True) == whole


def test_a_step_that_is_lost_in_the_journal_is_asked_for_again(tmp_path):
    whole = played(tmp_path / "whole")
    cut(tmp_path / "cut", Counted(most=6))
    file = tmp_path / "cut" / "steps.jsonl"
    kept = file.read_text().splitlines()
    file.write_text("\n".join([*kept[:14], "garbage", *kept[15:]]) + "\n")
    policy = Counted()
    assert played(tmp_path / "cut", policy, resume=True) == whole
    assert sum(key[-1] == 3 for key in policy.asked) == 1


def test_decisions_for_another_observation_are_worth_nothing(tmp_path):
    whole = played(tmp_path / "whole")
    cut(tmp_path / "cut", Counted(most=6))
    file = tmp_path / "cut" / "steps.jsonl"
    steps = [json.loads(line) for line in file.read_text().splitlines()]
    changed = [{**step, "link": "another"} if (step["episode"], step["step"]) == (0, 4) else step for step in steps]
    file.write_text("".join(json.dumps(step) + "\n" for step in changed))
    policy = Counted()
    assert played(tmp_path / "cut", policy, resume=True) == whole
    assert sum(key[-1] == 1 for key in policy.asked) == 1


def test_an_agent_with_a_memory_begins_its_episodes_anew(tmp_path):
    def policy(fails_at=None):
        class Agent:
            def __init__(self):
                self.n = 0

            def act(self, observation, info):
                self.n += 1
                assert self.n == info["step"]
                if self.n == fails_at:
                    raise KeyboardInterrupt
                return ("up", "down", "left", "right")[self.n % 4]

        return AgentPolicy(Agent, PROMPT, name="agent")

    whole = played(tmp_path / "whole", policy())
    with pytest.raises(KeyboardInterrupt):
        played(tmp_path / "cut", Interrupted(policy(), 5))
    assert played(tmp_path / "cut", policy(), resume=True) == whole


class Interrupted:
    """Plays as an agent's policy does, in rounds, and is interrupted after some of them."""

    def __init__(self, policy, batches):
        self._policy, self._batches = policy, batches
        self.name, self.describe, self.end = policy.name, policy.describe, policy.end

    def act_in(self, episodes, histories):
        if self._batches == 0:
            raise KeyboardInterrupt
        self._batches -= 1
        return self._policy.act_in(episodes, histories)


# -- records -----------------------------------------------------------------------------------------------------------


def interrupted(path, after=3):
    seen = []

    def stop(episode):
        seen.append(episode)
        if len(seen) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        played(path, on_episode=stop, workers=1)


def without_journal(path):
    (path / "steps.jsonl").unlink()


def edited_score(line):
    return {**line, "score": 1.0, "success": True}


def edited_steps(line):
    last = {**line["steps"][-1], "score": 1.0}
    return {**edited_score(line), "steps": [*line["steps"][:-1], last], "ending": "terminated"}


def edited_text(line):
    text, *more = line["first_sections"][0]
    return {**line, "first_sections": [[text + "!", *more], *line["first_sections"][1:]]}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            edited_score,
            r"line 2: the episode of seed 1 of .*Sokoban-lean-v0 is not as it was recorded; restore the file",
        ),
        (edited_text, r"line 2: the episode of seed 1 of .*Sokoban-lean-v0 is not as it was recorded"),
        (
            lambda line: {**line, "seed": 9},
            r"line 2: the episode of seed 9 of .*Sokoban-lean-v0 is not of this run's plan",
        ),
        (lambda line: {**line, "seed": 0}, r"line 2: the episode of seed 0 of .*Sokoban-lean-v0 is there twice"),
        (lambda line: {**line, "policy": "oracle"}, r"was played by 'oracle', the run by 'random'"),
    ],
)
def test_a_record_that_is_not_the_runs_own_is_refused(tmp_path, edit, message):
    interrupted(tmp_path)
    first, second, *rest = lines(tmp_path)
    write_lines(tmp_path, [first, edit(second), *rest])
    with pytest.raises(RunError, match=message):
        played(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            edited_score,
            r"seed 1 of .*Sokoban-lean-v0 is not as it was played: success is True, played again it is False",
        ),
        (
            edited_steps,
            r"seed 1 of .*Sokoban-lean-v0 is not as it was played: step \d+, score is 1.0, played again it is 0.0",
        ),
        (edited_text, r"has another text after step 0 than its hash chain says"),
    ],
)
@pytest.mark.parametrize("prepare", [interrupted, partial(played, workers=1)], ids=["interrupted", "whole"])
def test_records_without_a_journal_are_played_again(tmp_path, edit, message, prepare):
    prepare(tmp_path)
    (tmp_path / "steps.jsonl").unlink(missing_ok=True)
    first, second, *rest = lines(tmp_path)
    write_lines(tmp_path, [first, edit(second), *rest])
    with pytest.raises(RunError, match=message):
        played(tmp_path, resume=True)


def test_records_without_a_journal_that_are_right_are_gone_on_with(tmp_path):
    whole = played(tmp_path / "whole")
    interrupted(tmp_path / "cut")
    (tmp_path / "cut" / "steps.jsonl").unlink()
    assert played(tmp_path / "cut", resume=True) == whole


# -- crashes -----------------------------------------------------------------------------------------------------------


class Broken:
    """Makes environments that raise in a step: from the seed `first` on, for as long as `broken` says."""

    def __init__(self, error, first=0, step=3):
        self.error, self.first, self.step, self.is_broken = error, first, step, True

    def __call__(self, spec):
        env = make(spec)
        reset, act = env.reset, env.step
        state = {}

        def new_reset(*, seed=None, options=None):
            state.update(seed=seed, step=0)
            return reset(seed=seed, options=options)

        def new_step(action):
            state["step"] += 1
            if self.is_broken and state["seed"] >= self.first and state["step"] == self.step:
                raise self.error
            return act(action)

        env.reset, env.step = new_reset, new_step
        return env


@pytest.fixture
def broken(monkeypatch):
    def install(*arguments):
        makes = Broken(*arguments)
        monkeypatch.setattr(run, "play", partial(play, make_env=makes))
        return makes

    return install


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), "the run cannot go on: OSError: .*No space left on device; mend that"),
        (MissingDependencyError("no Java"), "the run cannot go on: MissingDependencyError: no Java; mend that"),
        (MemoryError(), "the run cannot go on: MemoryError"),
    ],
)
def test_what_would_meet_every_episode_stops_the_run_and_is_not_recorded(tmp_path, broken, error, message):
    whole = played(tmp_path / "whole")
    makes = broken(error, 2)
    with pytest.raises(RunError, match=message):
        played(tmp_path / "cut", workers=1)
    assert [episode.ending for episode in read_run(tmp_path / "cut").episodes] == ["truncated"] * 2
    makes.is_broken = False
    assert played(tmp_path / "cut", resume=True) == whole


def test_many_crashes_in_a_row_stop_the_run_and_are_not_recorded(tmp_path, broken):
    plan = single_plan([SOKOBAN], 16)
    whole = played(tmp_path / "whole", plan=plan)
    makes = broken(RuntimeError("the JVM is gone"), 4)
    with pytest.raises(RunError, match="10 episodes in a row crashed and are not recorded, the last with RuntimeError"):
        played(tmp_path / "cut", plan=plan, workers=1)
    assert len(lines(tmp_path / "cut")) == 4
    makes.is_broken = False
    assert played(tmp_path / "cut", plan=plan, resume=True) == whole


def test_crashed_episodes_can_be_played_again_and_stay_on_record(tmp_path, broken):
    whole = played(tmp_path / "whole")
    makes = broken(RuntimeError("the JVM is gone"), 4)
    played(tmp_path / "run", workers=1)
    crashed = lines(tmp_path / "run")[4:]
    assert [line["error"] for line in crashed] == ["RuntimeError: the JVM is gone"] * 2
    makes.is_broken = False
    assert played(tmp_path / "run", resume=True) != whole
    assert played(tmp_path / "run", resume=True, retry_errors=True) == whole
    assert [json.loads(line) for line in (tmp_path / "run" / "retried.jsonl").read_text().splitlines()] == crashed


def test_what_a_complete_runs_results_vouch_for_is_not_checked_again_because_others_crashed(
    tmp_path, broken, monkeypatch
):
    makes = broken(RuntimeError("the JVM is gone"), 4)
    played(tmp_path, workers=1)
    makes.is_broken = False
    checked = []
    monkeypatch.setattr(run, "check_played", lambda episode, job, env: checked.append(episode.seed))
    played(tmp_path, resume=True, retry_errors=True)
    assert checked == []


def test_a_failure_of_the_policy_counts_for_its_episode_alone(tmp_path):
    class Fails(RandomPolicy):
        def act(self, histories):
            return [Decision("", None, failure="the agent raised")] * len(histories)

    played(tmp_path, Fails(), plan=single_plan([SOKOBAN], 15))
    assert {line["error"] for line in lines(tmp_path)} == {"the agent raised"}


@pytest.mark.parametrize("grid", [(), ("--harness-grid", "protocol=window,chat")])
def test_the_command_line_plays_the_episodes_again_that_a_repaired_agent_failed(tmp_path, monkeypatch, grid):
    output = tmp_path / "run"
    agent = ["--agent", "tests.policies.some_agents:needs_a_service", "--action-hints", "full", *grid]
    command = ["evaluate", *agent, "--env", "AgentGen/Sokoban-v0", "--episodes", "2", "--quiet", "--output"]
    runs = [output / name for name in ("window", "chat")] if grid else [output]
    monkeypatch.setenv("SERVICE_IS_DOWN", "1")
    assert main([*command, str(output)]) == 1
    failed = {folder: sorted((folder / "episodes.jsonl").read_text().splitlines()) for folder in runs}
    monkeypatch.delenv("SERVICE_IS_DOWN")
    assert main([*command, str(output), "--resume"]) == 1  # a resume alone leaves them
    assert main([*command, str(output), "--resume", "--retry-errors"]) == 0
    for folder in runs:
        assert [line["ending"] for line in lines(folder)] == ["truncated"] * 2
        assert sorted((folder / "retried.jsonl").read_text().splitlines()) == failed[folder]
        assert json.loads((folder / "results.json").read_text())["settings"][0]["endings"]["error"] == 0
