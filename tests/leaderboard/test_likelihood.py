"""Whose actions are these: true completions pass, other weights, temperatures, prompts and made-up ones are found."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.fresh import fresh_suite
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.audit import Record, append, entry_name, read_audit, trust
from agentgen_bench.leaderboard.entry import digests, read_metadata
from agentgen_bench.leaderboard.likelihood import (
    MIN_TOKENS,
    Drawn,
    Likelihood,
    chosen_episodes,
    compared,
    drawn_completions,
    judged,
    likelihood,
)
from agentgen_bench.leaderboard.records import packed
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.prefill import INTERVAL_ENDS, TokenEvidence, _evidence, evidence, evidences
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.seeding import stream
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Suite
from tests.policies.conftest import TEXTS

HOT = Sampling(temperature=1.0, max_tokens=48, seed=5)
GREEDY = Sampling(max_tokens=48)
N_PROMPTS = 24
WIDTHS = (0.25, 0.25, 0.25, 0.15, 0.09, 0.01)  # of the intervals


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two models of one shape whose distributions are neither flat nor certain."""
    pytest.importorskip("transformers")
    from agentgen_bench.train.init_model import ModelShape, init_model

    shape = ModelShape(layers=2, hidden_size=64, vocab_size=400, context_tokens=2048, init_std=0.1)
    return [init_model(tmp_path_factory.mktemp("m") / str(seed), TEXTS, shape, seed=seed).path for seed in (0, 1)]


def policy_of(model: Path, sampling: Sampling = HOT, dtype: str = "float32"):
    from agentgen_bench.policies.transformers import TransformersPolicy

    return TransformersPolicy(model, PromptConfig(), sampling, dtype=dtype)


def sampled(model: Path, sampling: Sampling, dtype: str = "float32") -> list[Drawn]:
    """Return completions with the ids that were drawn."""
    policy = policy_of(model, sampling, dtype)
    prompts = [policy.chat.encode(text) for text in TEXTS[:N_PROMPTS]]
    seeds = [sampling.request_seed(("t", k)) for k in range(len(prompts))]
    return [Drawn(p, g.ids) for p, g in zip(prompts, policy.generate(prompts, seeds), strict=True)]


def verdict(drawn: Sequence[Drawn], model: Path, sampling: Sampling, dtype: str = "float32") -> Likelihood:
    policy = policy_of(model, sampling, dtype)
    return judged(
        [evidence(policy, one.prompt, one.completion, sampling) for one in drawn], sampling, n_episodes=1, left_out=0
    )


@pytest.mark.parametrize(
    "sampling",
    [HOT, dataclasses.replace(HOT, top_p=0.8), dataclasses.replace(HOT, temperature=0.5, top_k=20), GREEDY],
    ids=["sampled", "top-p", "cold top-k", "greedy"],
)
@pytest.mark.parametrize("arithmetic", [("float32", "float32"), ("bfloat16", "float32"), ("float32", "bfloat16")])
def test_the_weights_that_drew_them_are_believed_in_any_precision(models, sampling, arithmetic):
    found = verdict(sampled(models[0], sampling, arithmetic[0]), models[0], sampling, arithmetic[1])
    assert found.holds, found.text
    assert found.text.startswith("these weights")


@pytest.mark.parametrize("sampling", [HOT, dataclasses.replace(HOT, top_p=0.8), GREEDY])
def test_other_weights_are_found(models, sampling):
    found = verdict(sampled(models[0], sampling), models[1], sampling)
    assert not found.holds
    assert found.text.startswith("NOT these weights")


@pytest.mark.parametrize("claimed", [0.7, 1.4])
def test_another_temperature_is_found(models, claimed):
    drawn = sampled(models[0], HOT)
    found = verdict(drawn, models[0], dataclasses.replace(HOT, temperature=claimed))
    assert not found.holds
    assert (found.statistic < 0) == (claimed < 1)  # colder than claimed is likelier than expected, hotter less


def test_sampled_tokens_under_the_name_of_greedy_decoding_are_found(models):
    assert not verdict(sampled(models[0], HOT), models[0], GREEDY).holds


def test_another_prompt_is_found(models):
    hinted = [Drawn(one.prompt[: len(one.prompt) // 2], one.completion) for one in sampled(models[0], HOT)]
    assert not verdict(hinted, models[0], HOT).holds


def numbers(token: TokenEvidence) -> list[float]:
    return [*token[:-2], *token.overlaps, *token.overlap_variances]


def test_a_growing_chat_is_read_once_with_the_same_evidence(models, monkeypatch):
    policy = policy_of(models[0])
    first, second, third = sampled(models[0], HOT)[:3]
    grown = Drawn((*first.prompt, *first.completion, *second.prompt), second.completion)
    chats = [first, grown, third]
    apart = [evidence(policy, *one, HOT) for one in chats]
    forward, passes = policy.model.forward, []
    monkeypatch.setattr(policy.model, "forward", lambda **given: passes.append(given) or forward(**given))
    together = evidences(policy, chats, HOT)
    assert [given["input_ids"].shape[1] for given in passes] == [
        len(grown.prompt) + len(grown.completion),
        len(third.prompt) + len(third.completion),
    ]
    for one, other in zip(together, apart, strict=True):
        assert [numbers(token) for token in one] == [pytest.approx(numbers(token), abs=1e-4) for token in other]


def test_the_evidence_is_that_of_the_distribution(models):
    policy = policy_of(models[0])
    prompt = policy.chat.encode(TEXTS[0])
    (one,) = evidence(policy, prompt, [7], HOT)
    chances = np.exp([policy.token_logprobs([prompt], [[k]])[0][0] for k in range(policy.model.config.vocab_size)])
    assert one.logprob == pytest.approx(np.log(chances[7]), abs=1e-4)
    assert one.entropy == pytest.approx(-(chances * np.log(chances)).sum(), abs=1e-3)
    assert one.variance == pytest.approx((chances * np.log(chances) ** 2).sum() - one.entropy**2, abs=1e-3)
    assert one.gap == pytest.approx(np.log(chances.max()) - np.log(chances[7]), abs=1e-4)
    assert one.blind == pytest.approx(np.log(chances).mean() + one.entropy, abs=1e-3)
    assert one.kept == 1.0
    (cut,) = evidence(policy, prompt, [int(chances.argmax())], dataclasses.replace(HOT, top_k=4))
    likeliest = np.sort(chances)[-4:] / np.sort(chances)[-4:].sum()
    assert cut.blind == pytest.approx((np.log(likeliest) - likeliest * np.log(likeliest) * 4).mean(), abs=1e-3)
    assert cut.kept == pytest.approx(4 / len(chances))


def drawn_at(logits: np.ndarray, rng: np.random.Generator, temperature: float = 1.0) -> np.ndarray:
    """Return a token for each row of logits (n, V)."""
    noise = rng.gumbel(size=logits.shape)
    return (logits / temperature + noise).argmax(axis=1)


def judged_at(logits: np.ndarray, tokens: np.ndarray, temperature: float = 1.0) -> Likelihood:
    """Return what logits (n, V) say of tokens (n,) that are said to be drawn at a temperature."""
    torch = pytest.importorskip("torch")
    sampling = dataclasses.replace(HOT, temperature=temperature)
    found = _evidence(torch.from_numpy(logits).float(), torch.from_numpy(tokens), sampling)
    return judged([found], sampling, n_episodes=1, left_out=0)


def best_temperature(logits: np.ndarray, tokens: np.ndarray) -> float:
    """Return the temperature under which the mean log-probability is as expected: what a cheat would state."""
    low, high = 0.2, 2.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if judged_at(logits, tokens, middle).statistic > 0 else (middle, high)
    return (low + high) / 2


def test_false_alarms_are_as_rare_as_said_and_a_small_change_needs_more_tokens():
    rng = stream("tests", "likelihood")
    logits = [2 * rng.normal(size=(300, 50)) for _ in range(200)]
    true = [judged_at(row, drawn_at(row, rng)).holds for row in logits]
    assert sum(true) >= 198
    many = np.concatenate(logits)[:12_000]
    tokens = drawn_at(many, rng)
    assert [judged_at(many[:n], tokens[:n], 0.9).holds for n in (300, 12_000)] == [True, False]


def third_likeliest(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.argsort(-logits, axis=1)[:, 2]


def a_fifth_drawn_blindly(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    blind = rng.integers(logits.shape[1], size=len(logits))
    return np.where(rng.random(len(logits)) < 0.2, blind, drawn_at(logits, rng))


def cold_and_hot_ones(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(logits)) < 0.5, drawn_at(logits, rng, 0.2), drawn_at(logits, rng, 2.0))


@pytest.mark.parametrize("written", [third_likeliest, a_fifth_drawn_blindly, cold_and_hot_ones])
def test_a_temperature_that_is_chosen_afterwards_does_not_hide_where_the_tokens_lie(written):
    rng = stream("tests", "likelihood", written.__name__)
    logits = 2 * rng.normal(size=(3000, 50))
    tokens = written(logits, rng)
    stated = best_temperature(logits, tokens)
    assert stated < 1.95  # within what is checked
    found = judged_at(logits, tokens, stated)
    assert abs(found.statistic) < found.threshold / 2  # this much alone would pass
    assert not found.holds
    assert abs(found.rank_statistic) > found.rank_threshold
    honest = judged_at(logits, drawn_at(logits, rng, stated), stated)
    assert honest.holds, honest.text


def test_where_a_token_lies_among_the_likelier_ones():
    torch = pytest.importorskip("torch")
    chances = np.array([[0.1, 0.6, 0.0, 0.3]])  # side by side: 0 to .6 the second, to .9 the fourth, to 1 the first
    logits = torch.from_numpy(np.log(np.maximum(chances, 1e-300))).expand(4, 4)
    first, second, never, fourth = _evidence(logits, torch.arange(4), HOT)
    assert INTERVAL_ENDS == (0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
    assert second.overlaps == pytest.approx((0.25 / 0.6, 0.25 / 0.6, 0.1 / 0.6, 0, 0, 0), abs=1e-6)
    assert fourth.overlaps == pytest.approx((0, 0, 0.5, 0.5, 0, 0), abs=1e-6)
    assert first.overlaps == pytest.approx((0, 0, 0, 0, 0.9, 0.1), abs=1e-6)
    assert never.overlaps == pytest.approx((0, 0, 0, 0, 0, 1), abs=1e-6)
    third_interval = (0.6 * (0.1 / 0.6) ** 2 + 0.3 * 0.5**2) - 0.25**2  # its variance over the tokens
    for one in (first, second, never, fourth):
        assert one.overlap_variances[2] == pytest.approx(third_interval, abs=1e-6)


def test_too_few_tokens_say_nothing():
    with pytest.raises(EntryError, match=f"199 tokens could be rebuilt, {MIN_TOKENS} are needed"):
        judged([[TokenEvidence(-1.0, 1.0, 0.5, 0.0, -3.0, 1.0)] * 199], HOT, n_episodes=1, left_out=3)


def test_more_than_a_tenth_of_completions_left_out_says_nothing():
    sound = [[TokenEvidence(-1.0, 1.0, 0.5, 0.0, -3.0, 1.0, WIDTHS, (0.0,) * 6)] * 50] * 9
    assert judged(sound, HOT, n_episodes=1, left_out=1).holds
    with pytest.raises(EntryError, match=r"2 of 11 completions could not be rebuilt .* more than 10 %"):
        judged(sound, HOT, n_episodes=1, left_out=2)


@pytest.mark.parametrize(
    "sampling", [HOT, dataclasses.replace(HOT, top_p=0.999), GREEDY], ids=["T 1", "top-p", "greedy"]
)
def test_weights_that_make_all_tokens_as_likely_say_nothing(models, sampling):
    policy = policy_of(models[0], sampling)
    policy.model.lm_head.weight.data *= 1e-3  # which greedy decoding would not notice
    rng = stream("tests", "likelihood", "blind")
    texts = rng.integers(policy.model.config.vocab_size, size=(N_PROMPTS, 40)).tolist()  # as nobody would write
    tokens = evidences(policy, [(text[:5], text[5:]) for text in texts], sampling)
    with pytest.raises(EntryError, match="these weights say nothing: they make all tokens about as likely"):
        judged(tokens, sampling, n_episodes=1, left_out=0)


@pytest.mark.parametrize("claimed", [2.1, 1e5, 1e12])
def test_a_temperature_at_which_any_text_looks_drawn_says_nothing(made: Path, suite: Suite, claimed: float):
    sampling = {**HOT.to_json(), "temperature": claimed}
    policy = {"name": "m", "kind": "model", "sampling": sampling, "max_model_len": 1024}
    metadata = dataclasses.replace(read_metadata(made, suite), policy=policy)
    with pytest.raises(EntryError, match=r"weights say nothing at temperature .*; at most 2 can be checked"):
        compared(metadata, [], policy="never asked")  # type: ignore[arg-type]


class Writer:
    """Answers with the oracle's kind of completion, and counts tokens as the model's tokenizer does."""

    name = "writer"

    def __init__(self, policy, config: PromptConfig) -> None:
        self.policy, self.config, self.prompts = policy, config, []

    def act(self, histories: Sequence[History]) -> list[Decision]:
        return [self._decide(history) for history in histories]

    def describe(self):
        return {"kind": "model", "sampling": HOT.to_json(), "max_model_len": 1024 + HOT.max_tokens}

    def _decide(self, history: History) -> Decision:
        action = history.admissible_commands[history.step % len(history.admissible_commands)]
        text = f"<action>{action}</action>"
        prompt = self.policy.chat.prompt(history, self.config, 1024)
        ids = self.policy.chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        self.prompts.append(tuple(prompt.ids))
        return Decision(
            text, action, prompt_tokens=len(prompt.ids), completion_tokens=len(ids) + 1, finish_reason="stop"
        )


def test_prompts_and_tokens_are_rebuilt_from_a_record_without_texts(models):
    policy, config = policy_of(models[0]), PromptConfig(history_length=1)
    writer = Writer(policy, config)
    jobs = [Job(TaskSpec("Sokoban", richness="lean", split="test"), seed) for seed in range(3)]
    records = [packed(episode) for episode in play(jobs, writer, workers=1, record_text=False)]
    drawn, left_out = drawn_completions(records, policy, config, 24, 1024)
    assert left_out == 0
    assert sorted(one.prompt for one in drawn) == sorted(writer.prompts)
    assert {policy.chat.decode(one.completion) for one in drawn} <= {
        f"<action>{action}</action>" for action in ("up", "down", "left", "right")
    }
    found = judged([evidence(policy, *one, HOT) for one in drawn], HOT, n_episodes=3, left_out=0)
    assert not found.holds  # made up: no sampling of these weights gives it


def test_what_cannot_be_rebuilt_is_left_out_and_counted(models):
    policy, config = policy_of(models[0]), PromptConfig(history_length=1)
    jobs = [Job(TaskSpec("Sokoban", richness="lean", split="test"), 0)]
    (record,) = (packed(episode) for episode in play(jobs, Writer(policy, config), workers=1, record_text=False))
    first, *rest = record.steps
    torn = dataclasses.replace(first, completion_tokens=first.completion_tokens + 1)
    changed = dataclasses.replace(record, steps=(torn, *rest))
    drawn, left_out = drawn_completions([changed], policy, config, 24, 1024)
    assert (len(drawn), left_out) == (len(rest), 1)


def test_completions_whose_prompts_do_not_fit_the_context_on_record_are_left_out_and_counted(models):
    policy, config = policy_of(models[0]), PromptConfig(history_length=1)
    jobs = [Job(TaskSpec("Sokoban", richness="lean", split="test"), 0)]
    (record,) = (packed(episode) for episode in play(jobs, Writer(policy, config), workers=1, record_text=False))
    assert drawn_completions([record], policy, config, 24, 32) == ([], len(record.steps))
    silent = [dataclasses.replace(step, completion="", completion_tokens=0) for step in record.steps]
    assert drawn_completions([dataclasses.replace(record, steps=tuple(silent))], policy, config, 24, 32) == ([], 0)


def test_which_episodes_are_looked_at_is_decided_by_entry_and_beacon_alone(models):
    policy = policy_of(models[0])
    jobs = [Job(TaskSpec("Sokoban", richness="lean", split="test"), seed) for seed in range(12)]
    records = list(play(jobs, Writer(policy, PromptConfig()), workers=4, record_text=False))

    def seeds(entry: str, beacon: str, episodes=records) -> list[int]:
        return [episode.seed for episode in chosen_episodes(episodes, 5, entry, beacon)]

    assert seeds("e", "b") == seeds("e", "b", records[::-1])
    assert len({tuple(seeds(*pair)) for pair in (("e", "b"), ("e", "c"), ("f", "b"))}) == 3


def test_the_oracles_kind_of_actions_under_a_models_name_are_found_in_an_entry(models, suite: Suite, tmp_path: Path):
    policy, config = policy_of(models[0]), PromptConfig(history_length=1)
    fresh = tmp_path / "fresh"
    evaluate(suite_plan(suite), Writer(policy, config), config, tmp_path / "run")
    evaluate(suite_plan(fresh_suite(suite, "a beacon")), Writer(policy, config), config, fresh)
    entry = submit(
        tmp_path / "run",
        fresh=fresh,
        org="Lab",
        model="writer",
        date="2026-01-31",
        leaderboards=tmp_path / "board",
        suite=suite,
        workers=1,
    )
    found = likelihood(entry, policy, n_episodes=3, beacon="x", suite=suite)
    assert (found.holds, found.left_out, found.episodes) == (False, 0, 3)
    assert found.tokens > MIN_TOKENS
    n_levels = sum(len(cell.seeds) for cell in suite.cells)  # as many fresh ones are looked at too
    assert likelihood(entry, policy, n_episodes=100, beacon="x", suite=suite).episodes == 2 * n_levels


def test_a_scripted_entry_has_no_weights_to_compare_with(made: Path, suite: Suite, models):
    with pytest.raises(EntryError, match="nothing to compare with weights"):
        likelihood(made, policy_of(models[0]), n_episodes=2, beacon="x", suite=suite)


def test_trust_grows_from_replayed_to_likelihood_to_rerun(entry: Path):
    board = entry.parent.parent
    for event, trusted in [("likelihood", "claimed"), ("verified", "likelihood"), ("rerun", "rerun")]:
        append(board, Record("2026-02-01", event, entry_name(entry), "", digests(entry)))
        assert trust(entry, read_audit(board)) == trusted


def test_recording_needs_a_beacon(entry: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", str(entry), "--model", "x", "--record"]) == 2
    assert "--beacon" in capsys.readouterr().err
