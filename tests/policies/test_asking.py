"""Decisions come as they are made; in which order never changes what they are."""

import random
import threading
import time

import pytest

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.agents import AgentPolicy
from agentgen_bench.policies.asking import Answered, Rounds, Watched, asking
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.local import Batches, Generation
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from tests.policies.stub_server import completion, policy, refusal

SPEC = TaskSpec("Sokoban", richness="lean", split="test")
JOBS = [Job(SPEC, seed) for seed in range(6)]


class Shuffled:
    """A policy whose decisions come one or more at a time, in an order of chance."""

    def __init__(self, seed):
        self._policy, self._draw = RandomPolicy(), random.Random(seed)
        self.name, self.describe, self.act = self._policy.name, self._policy.describe, self._policy.act
        self.closed = 0

    def asking(self):
        shuffled, waiting = self, []

        class Asking:
            def submit(self, requests):
                waiting.extend(requests)

            def poll(self):
                shuffled._draw.shuffle(waiting)
                some = [waiting.pop() for _ in range(shuffled._draw.randint(1, len(waiting)))]
                decisions = shuffled.act([request.history for request in some])
                return [Answered(one.number, decision) for one, decision in zip(some, decisions, strict=True)]

            def close(self):
                shuffled.closed += 1

        return Asking()


def played(policy, jobs=JOBS, **options):
    return sorted(play(jobs, policy, **options), key=lambda episode: episode.seed)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_decisions_leaves_every_episode_alone(seed):
    policy = Shuffled(seed)
    assert played(policy, workers=4) == played(RandomPolicy())
    assert policy.closed == 1


def test_whoever_watches_a_policy_sees_each_request_and_its_decision_in_the_order_of_an_episode():
    asked, seen = [], {}

    def decided(history, decision):
        asked.remove(history.key)
        seen.setdefault(history.key[:3], []).append(decision.action)

    watched = Watched(Shuffled(1), decided, lambda history: asked.append(history.key))
    episodes = played(watched, workers=3)
    assert not asked
    assert [seen[e.level_id, e.seed, e.repeat] for e in episodes] == [[s.action for s in e.steps] for e in episodes]


def test_a_slow_answer_keeps_no_other_episode_waiting(server):
    slow = threading.Event()
    first = threading.Lock()

    def answer(payload, n):
        if first.acquire(blocking=False):  # the first request of all waits until the other episodes are over
            slow.wait(30)
        return completion("<action>up</action>")

    asked = policy(server, timeout_s=60.0)
    asked.describe()
    server.answer = answer
    ended = []
    for episode in play(JOBS[:3], asked, workers=3):
        ended.append(episode.seed)
        if len(ended) == 2:
            slow.set()
    assert sorted(ended) == [0, 1, 2]


def test_a_server_is_asked_by_as_many_connections_as_there_are(server):
    server.answer = lambda payload, n: completion("<action>up</action>")._replace(delay_s=0.01)
    played(policy(server, concurrency=2), workers=6)
    assert server.most_at_once == 2


def test_answers_that_came_before_a_refusal_are_executed(server):
    server.answer = lambda payload, n: refusal(401, "no") if n > 20 else completion("<action>up</action>")
    decided = []
    with pytest.raises(PolicyError, match="refused the API key"):
        played(policy(server), workers=3, on_decisions=decided.extend)
    assert len(decided) >= 15


def test_agents_do_not_wait_for_each_other():
    slow = threading.Event()

    def make():
        def act(observation, info):
            if info["step"] == 1 and first.acquire(blocking=False):
                slow.wait(30)
            return "up"

        return type("Agent", (), {"act": staticmethod(act)})()

    first = threading.Lock()
    ended = []
    for episode in play(JOBS[:3], AgentPolicy(make, PromptConfig(), name="agent"), workers=3):
        ended.append(episode.ending)
        if len(ended) == 2:
            slow.set()
    assert ended == ["truncated"] * 3


def test_an_agent_under_way_is_left_when_the_run_ends():
    began = time.monotonic()

    def act(observation, info):
        if info["step"] == 3:
            time.sleep(3)
        return 7 if info["step"] == 2 and lock.acquire(blocking=False) else "up"

    lock = threading.Lock()
    agents = AgentPolicy(lambda: type("Agent", (), {"act": staticmethod(act)})(), PromptConfig(), name="agent")
    with pytest.raises(PolicyError, match="agent: act returned 7"):
        played(agents, workers=4)
    assert time.monotonic() - began < 60


def test_a_policy_without_a_way_of_its_own_is_asked_in_rounds():
    assert isinstance(asking(RandomPolicy()), Rounds)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "the policy some returned a NoneType; act returns a list with one Decision per history"),
        (["up"], "the policy some returned a list of str"),
        ([Decision("", None)] * 2, "the policy some returned 2 decisions for 0 histories"),
    ],
)
def test_a_wrong_return_is_one_clear_error(returned, message):
    rounds = Rounds("some", lambda asked: returned)
    with pytest.raises(PolicyError, match=message):
        rounds.poll()


def test_a_long_prompt_does_not_pad_a_batch_of_short_ones():
    drawn = []

    def generate(prompts, seeds):
        drawn.append([len(prompt) for prompt in prompts])
        return [Generation((1,), ()) for _ in prompts]

    batches = Batches(generate, 8)
    for number, length in enumerate([10, 12, 400, 11, 380, 14]):
        batches.add(number, [0] * length, 0)
    first = [number for number, _ in batches.take()]
    second = [number for number, _ in batches.take()]
    assert drawn == [[10, 12, 11, 14], [400, 380]]
    assert (first, second) == ([0, 1, 3, 5], [2, 4])


def test_a_batch_holds_the_one_that_waits_longest_and_its_like():
    drawn = []

    def generate(prompts, seeds):
        drawn.append([len(prompt) for prompt in prompts])
        return [Generation((seed,), ()) for seed in seeds]

    batches = Batches(generate, 2)
    for number, length in enumerate((5, 9, 1, 8, 6)):
        batches.add(number, [0] * length, 10 + number)
    ended = [batches.take() for _ in range(3)]
    assert drawn == [[5, 6], [9, 8], [1]]
    assert [[(number, one.ids[0]) for number, one in some] for some in ended] == [
        [(0, 10), (4, 14)],
        [(1, 11), (3, 13)],
        [(2, 12)],
    ]
