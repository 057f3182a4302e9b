from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.episodes import Step, chain, from_line, to_line
from agentgen_bench.errors import PolicyError, SpecError
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.scripted import NoopPolicy, OraclePolicy, RandomPolicy
from agentgen_bench.prompts import Turn
from agentgen_bench.rollout import Job, job_key, play
from agentgen_bench.spec import TaskSpec
from tests.counting import CountingEnv

SPEC = TaskSpec("Sokoban", split="test")
JOBS = [Job(SPEC, seed) for seed in range(8)]


class Recorder:
    """Says what `answer` says and keeps the histories it saw."""

    name = "recorder"

    def __init__(self, answer="1"):
        self.answer = answer
        self.histories = []

    def act(self, histories):
        self.histories.extend(histories)
        return [Decision(self.answer, self.answer)] * len(histories)

    def describe(self):
        return {}


def played(policy, jobs=JOBS, make_env=lambda spec: CountingEnv(), **options):
    return sorted(play(jobs, policy, make_env=make_env, **options), key=lambda episode: episode.seed)


def test_the_asking_of_docs_servers_md_plays_what_rounds_play():
    """The example in the docs, word for word: requests in threads, decisions as they come."""
    text = (Path(__file__).parents[1] / "docs" / "servers.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(next(block for block in text.split("```python\n")[1:] if "class MyAsking" in block).split("```")[0], names)

    class Threaded(RandomPolicy):
        def asking(self):
            return names["MyAsking"](self, at_once=3)

    jobs = [Job(TaskSpec("Sokoban", richness="lean"), seed) for seed in range(4)]
    in_rounds, as_they_come = (
        sorted(play(jobs, policy, workers=3), key=lambda episode: episode.key)
        for policy in (RandomPolicy(0), Threaded(0))
    )
    assert as_they_come == in_rounds


def test_the_oracle_solves_each_level_in_its_length():
    episodes = played(OraclePolicy())
    assert all(episode.success and len(episode.steps) == episode.expert_length for episode in episodes)


def test_noop_uses_up_every_step_and_solves_nothing():
    for episode in played(NoopPolicy()):
        assert (episode.ending, episode.success, len(episode.steps)) == ("truncated", False, episode.max_steps)
        assert {step.action for step in episode.steps} == {None}


@pytest.mark.parametrize("policy", [OraclePolicy(), RandomPolicy(3), NoopPolicy()], ids=lambda policy: policy.name)
def test_the_number_of_workers_leaves_every_episode_alone(policy):
    assert played(policy, workers=1) == played(policy, workers=3) == played(policy, workers=100)


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker_is_refused(workers):
    with pytest.raises(SpecError, match=f"workers={workers} is out of range; choose an integer from 1"):
        played(OraclePolicy(), workers=workers)


def test_an_episode_that_crashes_in_reset_is_recorded_and_the_others_go_on():
    episodes = played(OraclePolicy(), make_env=lambda spec: CountingEnv(crash_seed=3))
    assert [episode.ending for episode in episodes] == ["terminated"] * 3 + ["error"] + ["terminated"] * 4
    assert episodes[3].error == "RuntimeError: level 3 is broken"


def test_a_score_that_no_record_can_hold_is_the_failure_of_its_episode():
    class CountsInPercent(CountingEnv):
        def _apply(self, action):
            outcome = super()._apply(action)
            self.score *= 100 if self.goal == 4 else 1
            return outcome

    episodes = played(OraclePolicy(), make_env=lambda spec: CountsInPercent())
    assert [episode.ending for episode in episodes] == ["terminated"] * 3 + ["error"] + ["terminated"] * 4
    assert episodes[3].error == (
        "ScoreError: the environment gives the score 25.0; a score is a number from 0 to 1, 1 at success"
    )
    assert (episodes[3].score, from_line(to_line(episodes[3]))) == (0.0, episodes[3])


def test_an_episode_that_crashes_in_a_step_keeps_its_steps_and_is_a_failure():
    class CrashesSecond(Recorder):
        def act(self, histories):
            return [Decision("x", "1" if history.step == 1 else "crash") for history in histories]

    (episode,) = played(CrashesSecond(), [Job(SPEC, 4)])
    assert (episode.ending, episode.success, episode.score) == ("error", False, 0.0)
    assert [step.action for step in episode.steps] == ["1"]
    assert episode.error == "RuntimeError: asked to crash"


@pytest.mark.parametrize("wrong", [{"observation": "half a pair \ud800"}, {"info": {}}], ids=["text", "info"])
def test_an_answer_that_cannot_be_recorded_ends_its_own_episode_alone(wrong):
    class AnswersNonsenseAtFour(CountingEnv):
        def step(self, action):
            observation, *rest, info = super().step(action)
            nonsense = wrong if self.goal == 4 and self.said == 2 else {}
            return nonsense.get("observation", observation), *rest, nonsense.get("info", info)

    crashes = []
    episodes = played(OraclePolicy(), make_env=lambda spec: AnswersNonsenseAtFour(), on_crash=crashes.append)
    assert [episode.ending for episode in episodes] == ["terminated"] * 3 + ["error"] + ["terminated"] * 4
    assert (len(episodes[3].steps), episodes[3].success, len(crashes)) == (1, False, 1)


@pytest.mark.parametrize("question", ["tasks", "facts", "analysis"])
def test_an_episode_whose_environment_cannot_tell_of_it_is_a_failure_and_the_others_go_on(question):
    class TellsNothingOfLevelThree(CountingEnv):
        def __init__(self):
            super().__init__()
            answer = getattr(self, question)
            setattr(self, question, lambda: 1 / 0 if self.goal == 4 else answer())

    crashes = []
    episodes = played(OraclePolicy(), make_env=lambda spec: TellsNothingOfLevelThree(), on_crash=crashes.append)
    assert [episode.ending for episode in episodes] == ["terminated"] * 3 + ["error"] + ["terminated"] * 4
    crashed = episodes[3]
    assert (crashed.error, crashed.success, crashed.score) == ("ZeroDivisionError: division by zero", False, 0.0)
    assert (len(crashed.steps), crashed.analysis) == (4, {})
    assert [str(error) for error in crashes] == ["division by zero"]


def test_an_environment_that_cannot_be_closed_ends_no_run():
    class StaysOpen(CountingEnv):
        def close(self):
            raise OSError("the simulator has gone")

        def step(self, action):
            return super().step(1 / 0 if self.goal == 2 else action)

    with pytest.warns(UserWarning, match="an environment could not be closed: OSError: the simulator has gone"):
        episodes = played(OraclePolicy(), make_env=lambda spec: StaysOpen())
    assert [episode.ending for episode in episodes] == ["terminated", "error", *["terminated"] * 6]


def test_a_failing_policy_ends_the_run_after_the_episodes_it_finished():
    class FailsAtSeedTwo(Recorder):
        def act(self, histories):
            if histories[0].key[1] == 2:
                raise PolicyError("the server is down")
            return [Decision("x", history.admissible_commands[0]) for history in histories]

    running = play(JOBS, FailsAtSeedTwo(), workers=1, make_env=lambda spec: CountingEnv())
    assert [next(running).seed, next(running).seed] == [0, 1]
    with pytest.raises(PolicyError, match="the server is down"):
        next(running)


def test_a_policy_sees_its_past_but_never_the_environment():
    policy = Recorder()
    played(policy, [Job(SPEC, 2)])
    second = policy.histories[1]
    assert (second.step, second.turns, second.observation) == (2, (Turn("0 of 3", "1", "1", ("1",)),), "1 of 3")
    assert second.key == ("counting:3", 2, 0, 2)


def test_the_hashes_chain_the_observations():
    (episode,) = played(OraclePolicy(), [Job(SPEC, 1)])
    first = chain("", "0 of 2")
    second = chain(first, "1 of 2")
    assert [episode.first_hash, *(step.observation_hash for step in episode.steps)] == [
        first,
        second,
        chain(second, "2 of 2"),
    ]


def test_a_step_records_all_of_a_decision_but_tokens_and_failure():
    decided = {"completion": "<x>", "action": "up", "reason": "empty", "prompt_chars": 1, "prompt_tokens": 2}
    decided |= {"completion_tokens": 3, "dropped_turns": 4, "finish_reason": "length", "marks": ("x",), "cost_usd": 0.5}
    assert set(Decision._fields) - set(decided) == {"sample", "failure"}

    class Fixed(NoopPolicy):
        def act(self, histories):
            return [Decision(**decided) for _ in histories]

    (episode,) = play([Job(TaskSpec("Sokoban"), 0)], Fixed())
    recorded = {"parse_reason" if name == "reason" else name: value for name, value in decided.items()}
    assert recorded.keys() <= {field.name for field in fields(Step)}
    assert {name: getattr(episode.steps[-1], name) for name in recorded} == recorded


def test_a_compact_record_differs_in_the_texts_alone():
    full = played(OraclePolicy(), record_text=True)
    assert [episode.compact() for episode in full] == played(OraclePolicy(), record_text=False)


def test_a_level_other_than_the_frozen_one_is_an_error():
    (episode,) = played(OraclePolicy(), [Job(SPEC, 0, 0, "counting:7")])
    assert episode.ending == "error"
    assert "gives counting:1, the frozen suite says counting:7" in episode.error


def test_every_environment_is_closed_at_the_end():
    made = []

    def make_env(spec):
        made.append(CountingEnv())
        return made[-1]

    played(OraclePolicy(), workers=3, make_env=make_env)
    assert len(made) == 3
    assert all(env.closed for env in made)


def test_an_environment_of_another_setting_is_not_used_again():
    other = SPEC.with_(difficulty="hard")
    made = []
    played(OraclePolicy(), [Job(SPEC, 0), Job(other, 0)], make_env=lambda spec: made.append(spec) or CountingEnv())
    assert made == [SPEC, other]


def test_a_job_has_the_key_of_its_episode():
    (episode,) = played(OraclePolicy(), [Job(SPEC, 5, 2)])
    assert episode.key == job_key(Job(SPEC, 5, 2))
    assert replace(episode, repeat=3).key != episode.key
