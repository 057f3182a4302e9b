"""The transformers back end: right completions, whatever else is in the batch."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from agentgen_bench import parsing  # noqa: E402
from agentgen_bench.errors import PolicyError  # noqa: E402
from agentgen_bench.parsing import ParseReason  # noqa: E402
from agentgen_bench.policies import attention  # noqa: E402
from agentgen_bench.policies.base import Decision, Policy  # noqa: E402
from agentgen_bench.policies.decoding import next_tokens  # noqa: E402
from agentgen_bench.policies.prefixes import Prefix, PrefixStore  # noqa: E402
from agentgen_bench.policies.sampling import Sampling  # noqa: E402
from agentgen_bench.policies.transformers import TransformersPolicy  # noqa: E402
from agentgen_bench.prompts import History, PromptConfig, Turn  # noqa: E402

GREEDY = Sampling(max_tokens=12)
SAMPLED = Sampling(temperature=0.8, top_p=0.95, max_tokens=12, seed=5)


def made(model: Path, sampling: Sampling = GREEDY, **options: Any) -> TransformersPolicy:
    return TransformersPolicy(model, PromptConfig(), sampling, device="cpu", with_logprobs=True, **options)


@pytest.fixture(scope="module")
def greedy(tiny_model: Path) -> TransformersPolicy:
    return made(tiny_model)


@pytest.fixture(scope="module")
def sampled(greedy: TransformersPolicy) -> TransformersPolicy:
    return greedy.with_sampling(SAMPLED)


def ids(decisions: Sequence[Decision]) -> list[tuple[int, ...]]:
    return [decision.sample.completion_ids for decision in decisions if decision.sample is not None]


def test_it_is_a_policy(greedy: TransformersPolicy) -> None:
    assert isinstance(greedy, Policy)


def test_greedy_completions_are_those_of_generate(greedy: TransformersPolicy, histories: list[History]) -> None:
    decisions = greedy.act(histories)
    for decision in decisions:
        assert decision.sample is not None
        prompt = torch.tensor([decision.sample.prompt_ids])
        expected = greedy.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            max_new_tokens=12,
            eos_token_id=list(greedy.stop_ids),
            pad_token_id=0,
        )
        assert decision.sample.completion_ids == tuple(expected[0, prompt.shape[1] :].tolist())


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_the_batch_size_does_not_matter(
    tiny_model: Path, histories: list[History], sampling: Sampling, batch_size: int
) -> None:
    whole = made(tiny_model, sampling).act(histories)
    assert ids(made(tiny_model, sampling, batch_size=batch_size).act(histories)) == ids(whole)


def test_equal_prompts_in_a_batch_get_the_completions_they_get_alone(sampled: TransformersPolicy) -> None:
    prompts = [sampled.chat.encode(text) for text in ("north", "go south", "north", "north", "go south")]
    together = sampled.generate(prompts, range(5))
    alone = [sampled.generate([prompt], [seed])[0] for seed, prompt in enumerate(prompts)]
    assert [generation.ids for generation in together] == [generation.ids for generation in alone]
    assert len({generation.ids for generation in together}) == 5


def test_sampled_completions_do_not_depend_on_the_order(sampled: TransformersPolicy, histories: list[History]) -> None:
    assert ids(sampled.act(histories[::-1])) == ids(sampled.act(histories))[::-1]


def test_sampled_completions_differ_between_runs(tiny_model: Path, histories: list[History]) -> None:
    other = made(tiny_model, Sampling(temperature=0.8, top_p=0.95, max_tokens=12, seed=6))
    assert ids(other.act(histories)) != ids(made(tiny_model, SAMPLED).act(histories))


def test_a_completion_ends_with_the_first_stop_token(tiny_model: Path, histories: list[History]) -> None:
    policy = made(tiny_model)
    free = ids(policy.act(histories))
    stop = free[0][4]
    policy.stop_ids = (stop,)
    cut = [row[: row.index(stop) + 1] if stop in row else row for row in free]
    assert ids(policy.act(histories)) == cut


def test_logprobs_are_those_of_the_model(greedy: TransformersPolicy, histories: list[History]) -> None:
    samples = [decision.sample for decision in greedy.act(histories) if decision.sample is not None]
    scored = greedy.token_logprobs([s.prompt_ids for s in samples], [s.completion_ids for s in samples])
    for sample, logprobs in zip(samples, scored, strict=True):
        assert sample.logprobs == pytest.approx(logprobs, abs=1e-4)


def test_token_counts_and_text_describe_the_sample(greedy: TransformersPolicy, histories: list[History]) -> None:
    decision = greedy.act(histories[:1])[0]
    assert decision.sample is not None
    assert decision.prompt_tokens == len(decision.sample.prompt_ids)
    assert decision.completion_tokens == len(decision.sample.completion_ids) == 12
    assert decision.completion == greedy.chat.decode(decision.sample.completion_ids)


def test_no_histories_no_decisions(greedy: TransformersPolicy) -> None:
    assert greedy.act([]) == []


def test_history_is_dropped_where_the_context_is_short(tiny_model: Path, histories: list[History]) -> None:
    whole = made(tiny_model).act([histories[7]])[0]
    short = made(tiny_model, max_model_len=whole.prompt_tokens + 11).act([histories[7]])[0]
    assert (whole.dropped_turns, short.dropped_turns) == (0, 1)


def test_a_prompt_that_never_fits_gets_no_completion(tiny_model: Path, histories: list[History]) -> None:
    decisions = made(tiny_model, max_model_len=300).act(histories)
    too_long = [decision for decision in decisions if decision.reason is ParseReason.PROMPT_TOO_LONG]
    assert 0 < len(too_long) < len(decisions)
    assert {(decision.completion, decision.action, decision.prompt_tokens) for decision in too_long} == {("", None, 0)}


def test_even_numbers_between_0_and_1_draw_tokens_as_often_as_they_are_probable() -> None:
    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2])
    uniforms = (torch.arange(100, dtype=torch.float64) + 0.5) / 100
    tokens, _ = next_tokens(probabilities.log().expand(100, 4), uniforms, Sampling(temperature=1.0))
    assert torch.bincount(tokens, minlength=4).tolist() == [50, 0, 30, 20]


@pytest.mark.parametrize(
    ("sampling", "counts"),
    [
        # .5 + .3 reach .8: the third token is outside; what is left is 5/8 and 3/8 of 80
        (Sampling(temperature=1.0, top_p=0.8), [50, 30, 0, 0]),
        (Sampling(temperature=1.0, top_p=0.81), [40, 24, 16, 0]),  # with the third: 5/10, 3/10, 2/10
        (Sampling(temperature=1.0, top_k=2), [50, 30, 0, 0]),
        (Sampling(temperature=1.0, top_k=1), [80, 0, 0, 0]),
        # squared: .25, .09, .04 of .38: 52.6, 18.9, 8.4
        (Sampling(temperature=0.5, top_k=3), [53, 19, 8, 0]),
    ],
)
def test_top_p_and_top_k_keep_the_likeliest_tokens(sampling: Sampling, counts: list[int]) -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64)
    uniforms = (torch.arange(80, dtype=torch.float64) + 0.5) / 80
    tokens, _ = next_tokens(probabilities.log().expand(80, 4), uniforms, sampling)
    assert torch.bincount(tokens, minlength=4).tolist() == counts


def test_the_largest_number_below_1_draws_a_possible_token() -> None:
    logits = torch.tensor([[0.0, 0.0, -float("inf")]])
    token, _ = next_tokens(logits, torch.tensor([1 - 2**-53], dtype=torch.float64), Sampling(temperature=1.0))
    assert token.tolist() == [1]


def test_new_weights_change_completions_and_the_description(tiny_model: Path, histories: list[History]) -> None:
    policy = made(tiny_model)
    before = ids(policy.act(histories))
    named = [(name, tensor.flip(0).clone()) for name, tensor in policy.model.named_parameters()]
    policy.load_weights(named)
    assert ids(policy.act(histories)) != before
    assert policy.describe()["content_hash"] is None


def test_views_of_one_model_share_its_weights(tiny_model: Path, histories: list[History]) -> None:
    policy = made(tiny_model)
    view = policy.with_sampling(SAMPLED)
    before = ids(view.act(histories))
    policy.load_weights([(name, tensor.flip(0).clone()) for name, tensor in policy.model.named_parameters()])
    assert ids(view.act(histories)) != before
    assert view.describe()["content_hash"] is None
    assert (policy.sampling, view.sampling) == (GREEDY, SAMPLED)


def test_a_view_cannot_ask_for_more_than_the_context(greedy: TransformersPolicy) -> None:
    with pytest.raises(PolicyError, match="max_tokens=2048 leaves no room for a prompt"):
        greedy.with_sampling(Sampling(max_tokens=2048))


def test_weights_that_are_not_all_there_are_refused(tiny_model: Path) -> None:
    policy = made(tiny_model)
    named = [pair for pair in policy.model.named_parameters() if pair[0] != "model.norm.weight"]
    with pytest.raises(PolicyError, match=r"no weights for 'model.norm.weight' of tiny; give every parameter"):
        policy.load_weights(named)


def test_a_weight_of_another_shape_is_refused(tiny_model: Path) -> None:
    policy = made(tiny_model)
    named = [(name, tensor[:1]) for name, tensor in policy.model.named_parameters()]
    with pytest.raises(PolicyError, match=r"no parameter 'model.embed_tokens.weight' of shape"):
        policy.load_weights(named)


def test_the_description_is_plain_json_that_names_the_model(greedy: TransformersPolicy) -> None:
    description = json.loads(json.dumps(greedy.describe()))
    assert description["backend"] == "transformers"
    assert description["backend_version"] == transformers.__version__
    assert (description["device"], description["dtype"]) == ("cpu", "float32")
    assert len(description["content_hash"]) == len(description["chat_template_hash"]) == 64


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtype": "int4"}, "unknown dtype 'int4'; choose one of: auto, float32, bfloat16, float16"),
        ({"batch_size": 0}, "batch_size=0 is out of range"),
        ({"max_model_len": 12}, "max_tokens=12 leaves no room for a prompt in a context of 12 tokens"),
        ({"max_model_len": 4096}, "max_model_len=4096 is out of range; choose 1 to 2048"),
    ],
)
def test_impossible_options_are_refused(tiny_model: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        made(tiny_model, **options)
    assert str(caught.value).startswith(said)


def test_out_of_memory_says_what_to_lower(
    greedy: TransformersPolicy, histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(greedy, "_complete", exhausted)
    with pytest.raises(PolicyError) as caught:
        greedy.act(histories[:3])
    assert str(caught.value) == (
        "cpu ran out of memory over 3 completions at once; choose a smaller batch_size or max_model_len"
    )


def test_an_unknown_device_is_refused(tiny_model: Path) -> None:
    with pytest.raises(PolicyError, match="device 'abacus' cannot be used"):
        TransformersPolicy(tiny_model, PromptConfig(), GREEDY, device="abacus")


CHAT = PromptConfig(protocol="chat")


def chatting(model: Path, sampling: Sampling) -> TransformersPolicy:
    return TransformersPolicy(model, CHAT, sampling, device="cpu", with_logprobs=True)


def followed(history: History, decision: Decision, observation: str) -> History:
    """Return the history one step later."""
    assert decision.sample is not None
    turn = Turn(
        history.observation,
        decision.action,
        decision.completion,
        history.admissible_commands,
        decision.sample.completion_ids,
    )
    key = (*history.key[:3], history.step + 1)
    return dataclasses.replace(
        history, key=key, step=history.step + 1, observation=observation, turns=(*history.turns, turn)
    )


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_a_chat_that_goes_on_reads_only_what_is_new_and_answers_the_same(
    tiny_model: Path, histories: list[History], sampling: Sampling
) -> None:
    policy = chatting(tiny_model, sampling)
    read: list[int] = []
    forward = policy.model.forward

    def counting(*args: Any, **options: Any) -> Any:
        read.append(int(options["attention_mask"].shape[0] * options["input_ids"].shape[1]))
        return forward(*args, **options)

    policy.model.forward = counting
    running = [dataclasses.replace(history, turns=(), step=1) for history in histories[:6]]
    for step in range(4):
        decisions = policy.act(running)
        fresh = chatting(tiny_model, sampling).act(running)
        assert ids(decisions) == ids(fresh)
        if step:  # the first pass reads prompts: here no more than the bridge and the observation of each
            assert read[0] < 0.5 * sum(decision.prompt_tokens for decision in decisions)
        read.clear()
        running = [
            followed(history, decision, f"#P_O{step}#" * (1 + i % 3))
            for i, (history, decision) in enumerate(zip(running, decisions, strict=True))
        ]


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_a_chat_that_begins_does_not_make_those_that_go_on_read_padding(
    tiny_model: Path, histories: list[History], sampling: Sampling
) -> None:
    policy = chatting(tiny_model, sampling)
    running = [dataclasses.replace(history, turns=(), step=1) for history in histories[:6]]
    later = [
        followed(history, decision, "#P_O#") for history, decision in zip(running, policy.act(running), strict=True)
    ]
    beginning = dataclasses.replace(histories[7], turns=(), step=1, task="A task that nobody has begun yet. " * 9)
    read: list[tuple[int, int]] = []
    forward = policy.model.forward

    def counting(*args: Any, **options: Any) -> Any:
        read.append(tuple(options["input_ids"].shape))
        return forward(*args, **options)

    policy.model.forward = counting
    decisions = policy.act([*later, beginning])
    assert ids(decisions) == ids(chatting(tiny_model, sampling).act([*later, beginning]))
    (alone, length), (together, new), *_ = read
    assert (alone, together) == (1, 7)
    assert new < length / 2


def test_a_model_whose_heads_share_keys_answers_as_with_transformers_own_attention(
    tiny_model: Path, histories: list[History], tmp_path: Path
) -> None:
    shutil.copytree(tiny_model, tmp_path / "sharing")
    config = transformers.AutoConfig.from_pretrained(tiny_model)
    config.num_key_value_heads = 1
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "sharing")
    ours, theirs = (chatting(tmp_path / "sharing", GREEDY) for _ in range(2))
    assert ours.model.config._attn_implementation == attention.NAME
    theirs.model.set_attn_implementation("sdpa")
    running = [dataclasses.replace(history, turns=(), step=1) for history in histories[:6]]
    for step in range(3):
        decisions = ours.act(running)
        assert ids(decisions) == ids(theirs.act(running))
        running = [
            followed(history, decision, f"#P_O{step}#") for history, decision in zip(running, decisions, strict=True)
        ]


def test_what_other_weights_have_read_is_forgotten(tiny_model: Path, histories: list[History]) -> None:
    policy = chatting(tiny_model, GREEDY)
    first = dataclasses.replace(histories[0], turns=(), step=1)
    second = followed(first, policy.act([first])[0], "#P_O#")
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=0.05)
    for parameter in policy.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    fresh = chatting(tiny_model, GREEDY)
    fresh.load_weights([(name, tensor.detach()) for name, tensor in policy.model.named_parameters()])
    assert policy.act([second])[0].sample == fresh.act([second])[0].sample


def test_the_store_gives_the_longest_prefix_and_stays_within_its_size() -> None:
    def layers(n: int) -> tuple[tuple[Any, Any], ...]:
        return ((torch.zeros(1, n, 4), torch.zeros(1, n, 4)),)  # 32 bytes a token

    store = PrefixStore(max_bytes=32 * 10)
    store.keep([1, 2, 3, 4], layers(4))
    store.keep([1, 2, 9], layers(3))
    prompts = ([1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 9, 9], [1, 2], [1, 7, 7], [2, 2, 3])
    assert [_length(store.longest(prompt)) for prompt in prompts] == [2, 4, 3, 1, 1, 0]  # one token is left to read
    store.keep([1, 2, 3, 4, 5], layers(5))  # in place of its beginning, of which all is in it
    assert [_length(store.longest(prompt)) for prompt in ([1, 2, 9, 9], [1, 2, 3, 4, 5, 6])] == [3, 5]
    store.keep([7] * 5, layers(5))  # 13 tokens: [1, 2, 9] was used longest ago
    assert [_length(store.longest(prompt)) for prompt in ([1, 2, 9, 9], [1, 2, 3, 4, 5, 6], [7] * 9)] == [2, 5, 5]


def _length(prefix: Prefix | None) -> int:
    return 0 if prefix is None else len(prefix.ids)


def test_a_stop_string_ends_a_completion_and_is_no_part_of_it(
    tiny_model: Path, histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = TransformersPolicy(tiny_model, PromptConfig(action_format="react"), GREEDY, device="cpu")
    whole = policy.act(histories[:4])
    stop = whole[0].completion[3:5]  # the tiny model writes noise: some of it is made the stop string
    monkeypatch.setitem(parsing.STOP_STRINGS, "react", (stop,))
    stopped = policy.act(histories[:4])
    assert [decision.completion for decision in stopped] == [d.completion.partition(stop)[0] for d in whole]
    assert (stopped[0].finish_reason, whole[0].finish_reason) == ("stop", "length")
    assert stopped[0].completion_tokens < whole[0].completion_tokens


def test_a_cut_thought_holds_no_action_as_from_a_server(greedy: TransformersPolicy, histories: list[History]) -> None:
    cut = greedy.act(histories[:12])
    assert {decision.finish_reason for decision in cut} <= {"stop", "length"}
    for decision in cut:
        assert decision.action == parsing.parse(decision.completion, cut=decision.finish_reason == "length").action


def test_other_prompt_settings_need_no_other_model(tiny_model: Path, histories: list[History]) -> None:
    """A grid of harnesses asks one loaded model; it answers as one that was loaded with those settings."""
    first = TransformersPolicy(tiny_model, PromptConfig(), GREEDY, device="cpu")
    chat = PromptConfig(protocol="chat", action_hints="full", thinking=False)
    view = first.with_prompt(chat)
    assert view.model is first.model
    assert first.prompt_config == PromptConfig()
    alone = TransformersPolicy(tiny_model, chat, GREEDY, device="cpu")
    assert view.act(histories[:6]) == alone.act(histories[:6])
    assert view.describe() == alone.describe()
