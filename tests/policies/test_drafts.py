"""Guesses change how many passes a completion takes, never the completion."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from agentgen_bench.policies.drafts import LONGEST, MAX_KEYS, MEMORY, ORDER, Drafts  # noqa: E402
from agentgen_bench.policies.local import Generation  # noqa: E402
from agentgen_bench.policies.sampling import Sampling  # noqa: E402
from agentgen_bench.policies.transformers import TransformersPolicy  # noqa: E402
from agentgen_bench.prompts import PromptConfig  # noqa: E402

PROMPTS = [[3, 4, 5, 6, 7, 8 + i, 9][: 5 + i % 3] for i in range(7)]
SEEDS = range(7)
SETTINGS = [Sampling(max_tokens=24), Sampling(temperature=0.7, top_p=0.9, max_tokens=24, seed=3)]


class Told(Drafts):
    """Guesses made from the true completions: right ones, wrong ones, or right ones up to a wrong one."""

    def __init__(self, truth: Sequence[Generation], spoil: int) -> None:
        """Spoil the guess at this place of each pass; LONGEST or more: none."""
        super().__init__()
        self._spoil = spoil
        self._after: dict[tuple[int, ...], list[int]] = {}
        for prompt, generation in zip(PROMPTS, truth, strict=True):
            own = [*prompt, *generation.ids]
            for end in range(len(prompt), len(own)):
                self._after[tuple(own[end - ORDER : end])] = own[end : end + LONGEST]

    def clear(self) -> None:
        """Keep what was told."""

    def after(self, ids: Sequence[int], most: int) -> list[int]:
        guesses = self._after.get(tuple(ids[-ORDER:]), [])[:most]
        return [guess ^ 1 if place == self._spoil else guess for place, guess in enumerate(guesses)]


def passes_of(policy: TransformersPolicy, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Generation], int]:
    """Return the completions and how often the model was run."""
    calls = []
    forward = policy.model.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return forward(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(policy.model, "forward", counted)
        generations = policy.generate(PROMPTS, list(SEEDS))
    return generations, len(calls)


@pytest.mark.parametrize("sampling", SETTINGS, ids=["greedy", "sampled"])
@pytest.mark.parametrize("protocol", ["window", "chat"])
@pytest.mark.parametrize("spoil", [0, 1, 3, LONGEST])
def test_right_and_wrong_guesses_give_the_completions_of_none(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling, protocol: Any, spoil: int
) -> None:
    def made() -> TransformersPolicy:
        return TransformersPolicy(tiny_model, PromptConfig(protocol=protocol), sampling, device="cpu")

    monkeypatch.setattr("agentgen_bench.policies.transformers.LONGEST", 0)
    plain, slow = passes_of(made(), monkeypatch)
    monkeypatch.setattr("agentgen_bench.policies.transformers.LONGEST", LONGEST)
    monkeypatch.setattr("agentgen_bench.policies.transformers.GUESS_COST", {"cpu": 0.0})  # all guesses are read
    policy = made()
    monkeypatch.setattr(policy, "_drafts", Told(plain, spoil))
    drafted, fast = passes_of(policy, monkeypatch)
    assert [one.ids for one in drafted] == [one.ids for one in plain]
    for one, other in zip(drafted, plain, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert fast <= slow
    if spoil == LONGEST:
        assert fast < slow / 2  # every pass draws more than two tokens


def test_what_was_read_with_wrong_guesses_goes_on_as_if_without(tiny_model: Path, monkeypatch: Any) -> None:
    """The kept prefix of a chat has no trace of them: the next turn reads on from it."""
    sampling = SETTINGS[1]
    monkeypatch.setattr("agentgen_bench.policies.transformers.GUESS_COST", {"cpu": 0.0})  # all guesses are read

    def turns(spoil: int | None) -> list[Generation]:
        policy = TransformersPolicy(tiny_model, PromptConfig(protocol="chat"), sampling, device="cpu")
        plain = policy.generate(PROMPTS, list(SEEDS))
        if spoil is not None:
            policy = TransformersPolicy(tiny_model, PromptConfig(protocol="chat"), sampling, device="cpu")
            monkeypatch.setattr(policy, "_drafts", Told(plain, spoil))
            policy.generate(PROMPTS, list(SEEDS))
        second = [[*prompt, *one.ids, 5, 6] for prompt, one in zip(PROMPTS, plain, strict=True)]
        return policy.generate(second, list(SEEDS))

    expected = turns(None)
    for one, other in zip(turns(1), expected, strict=True):
        assert one.ids == other.ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 6))
def test_a_guess_is_a_token_that_followed_the_same_four(ids: list[int], most: int) -> None:
    drafts = Drafts()
    drafts.learn(ids, 0)
    guesses = drafts.after(ids, most)
    assert len(guesses) <= most
    seen = {(tuple(ids[i - ORDER : i]), ids[i]) for i in range(ORDER, len(ids))}
    line = [*ids, *guesses]
    for place in range(len(ids), len(line)):
        assert (tuple(line[place - ORDER : place]), line[place]) in seen


def test_a_guess_is_trusted_after_it_was_right_and_given_up_after_as_many_mistakes() -> None:
    drafts = Drafts()
    drafts.learn([1, 2, 3, 4, 5], 0)
    assert drafts.after([1, 2, 3, 4], 3) == []
    drafts.learn([1, 2, 3, 4, 5], 0)
    assert drafts.after([1, 2, 3, 4], 3) == [5]
    drafts.learn([1, 2, 3, 4, 6], 0)
    assert drafts.after([1, 2, 3, 4], 3) == []


@given(st.lists(st.lists(st.integers(0, 9), max_size=LONGEST), max_size=6), st.integers(0, 50), st.floats(0.0, 5.0))
def test_guesses_are_cut_to_the_length_that_draws_most_in_its_time(
    guesses: list[list[int]], wrong: int, cost: float
) -> None:
    drafts = Drafts()
    for place in range(50):
        drafts.saw(right=place >= wrong)
    read = drafts.worth_reading(guesses, cost)
    width = max(map(len, read), default=0)
    assert read == [own[:width] for own in guesses]
    chance = (51 - wrong) / 51

    def rate(length: int) -> float:
        drawn = sum(sum(chance**place for place in range(min(length, len(own)) + 1)) for own in guesses)
        return drawn / (1 + cost * length)

    assert rate(width) == pytest.approx(max(rate(length) for length in range(LONGEST + 1)))


def test_guesses_are_read_again_once_they_come_right() -> None:
    drafts = Drafts()
    for _ in range(10 * MEMORY):
        drafts.saw(right=False)
    assert drafts.worth_reading([[1]], 0.4) == [[]]
    for _ in range(3 * MEMORY):
        drafts.saw(right=True)
    assert drafts.worth_reading([[1]], 0.4) == [[1]]


def test_other_weights_begin_as_a_fresh_policy_does() -> None:
    """A training that is resumed reads the same guesses as one that went through, and so gets the same last bits."""
    drafts = Drafts()
    for _ in range(50):
        drafts.saw(right=False)
    drafts.clear()
    assert drafts.worth_reading([[1, 2]], 0.4) == Drafts().worth_reading([[1, 2]], 0.4) == [[1, 2]]


def test_memory_is_bounded() -> None:
    drafts = Drafts()
    for start in range(0, MAX_KEYS * 2, 1000):
        drafts.learn(range(start, start + 1000), 0)
        assert len(drafts) <= MAX_KEYS + 1000
