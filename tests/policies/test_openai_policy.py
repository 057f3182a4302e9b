"""Policies behind an OpenAI-compatible server: a stub server in a thread plays the server, flaky ones included."""

import json
import time

import pytest

from agentgen_bench.errors import PolicyError
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Policy
from agentgen_bench.policies.chat import first_shown
from agentgen_bench.policies.openai import OpenAIPolicy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import History, PromptConfig, Protocol, Turn
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from tests.policies.stub_server import Reply, StubServer, completion, policy, refusal


def test_it_is_a_policy(server: StubServer) -> None:
    assert isinstance(policy(server), Policy)


def test_a_completion_becomes_a_decision(server: StubServer, histories: list[History]) -> None:
    decision = policy(server).act(histories[:1])[0]
    assert (decision.completion, decision.action, decision.reason) == ("<action>up</action>", "up", None)
    assert (decision.prompt_tokens, decision.completion_tokens, decision.dropped_turns) == (90, 7, 0)
    assert decision.prompt_chars == len(server.payloads[0]["messages"][0]["content"])


def test_the_request_carries_prompt_and_sampling(server: StubServer, histories: list[History]) -> None:
    sampling = Sampling(temperature=0.4, top_p=0.9, max_tokens=64, seed=3)
    policy(server, sampling).act(histories[:1])
    payload = server.payloads[0]
    assert histories[0].observation in payload.pop("messages")[0]["content"]
    assert payload == {
        "model": "tiny",
        "temperature": 0.4,
        "top_p": 0.9,
        "max_tokens": 64,
        "seed": sampling.request_seed(histories[0].key),
    }


def test_decisions_come_in_the_order_of_the_histories(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion(f"<action>{payload['seed']}</action>")
    seeds = [str(Sampling().request_seed(history.key)) for history in histories]
    assert [decision.action for decision in policy(server).act(histories)] == seeds


def test_concurrency_is_bounded_and_used(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion("<action>up</action>")._replace(delay_s=0.05)
    policy(server, concurrency=4).act(histories[:16])
    assert server.most_at_once == 4


def test_the_api_key_comes_from_the_environment(
    server: StubServer, histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-word")
    asking = policy(server)
    asking.act(histories[:1])
    assert server.headers[0]["Authorization"] == "Bearer secret-word"
    assert "secret-word" not in json.dumps(asking.describe())


@pytest.mark.parametrize("failure", [refusal(429, "slow down"), refusal(500, "oops"), Reply(503, "<html>busy</html>")])
def test_a_passing_failure_is_tried_again(server: StubServer, histories: list[History], failure: Reply) -> None:
    server.answer = lambda payload, n: failure if n <= 2 else completion("<action>up</action>")
    assert policy(server).act(histories[:1])[0].action == "up"
    assert len(server.payloads) == 3


def test_every_other_answer_failing_loses_nothing(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: (
        refusal(503, "busy") if n % 2 else completion(f"<action>{payload['seed']}</action>")
    )
    decisions = policy(server, retries=20, backoff_s=0.001).act(histories)
    assert [decision.action for decision in decisions] == [str(Sampling().request_seed(h.key)) for h in histories]


def test_an_answer_without_a_completion_is_asked_for_again(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: Reply(200, "not json") if n == 1 else completion("<action>up</action>")
    assert policy(server).act(histories[:1])[0].action == "up"


def test_a_request_that_takes_too_long_is_sent_again(server: StubServer, histories: list[History]) -> None:
    answer = completion("<action>up</action>")
    server.answer = lambda payload, n: answer._replace(delay_s=1.0) if n == 1 else answer
    assert policy(server, timeout_s=0.3).act(histories[:1])[0].action == "up"


@pytest.mark.parametrize("retry_after", ["0.4", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
def test_retry_after_is_kept_to(server: StubServer, histories: list[History], retry_after: str) -> None:
    slow = refusal(429, "slow down")._replace(headers={"Retry-After": retry_after})
    server.answer = lambda payload, n: slow if n == 1 else completion("<action>up</action>")
    asking = policy(server, backoff_s=0.0)
    began = time.monotonic()
    assert asking.act(histories[:1])[0].action == "up"
    assert time.monotonic() - began >= (0.4 if retry_after == "0.4" else 0.0)


def test_a_server_that_keeps_failing_is_one_clear_error(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: refusal(503, "no GPU left")
    with pytest.raises(PolicyError) as caught:
        policy(server).act(histories[:1])
    assert str(caught.value) == (
        f"the server at {server.url} does not answer (4 attempts): 503 no GPU left; "
        "check that it runs and that the URL is right"
    )


def test_a_server_that_is_down_is_one_clear_error() -> None:
    with pytest.raises(PolicyError) as caught:
        OpenAIPolicy("http://127.0.0.1:9/v1/", "tiny", PromptConfig(), Sampling(), retries=2, backoff_s=0.01)
    assert str(caught.value) == (
        "the server at http://127.0.0.1:9/v1 does not answer (3 attempts): connection refused; "
        "check that it runs and that the URL is right"
    )


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host/v1", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(PolicyError, match="is no server URL; write it like http://localhost:8000/v1"):
        OpenAIPolicy(url, "tiny", PromptConfig(), Sampling())


def test_any_other_refusal_is_not_tried_again(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: refusal(400, "unsupported value: 'messages'")
    with pytest.raises(PolicyError, match="refused a request: 400 unsupported value: 'messages'"):
        policy(server).act(histories[:1])
    assert len(server.payloads) == 1


def test_one_failed_request_stops_the_others(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: refusal(400, "no")._replace(delay_s=0.02)
    with pytest.raises(PolicyError, match="refused a request"):
        policy(server, concurrency=2).act(histories)
    assert len(server.payloads) <= 4


OVERFLOWS = [
    refusal(400, "This model's maximum context length is 512 tokens. However, your messages resulted in 700 tokens."),
    refusal(400, "The decoder prompt (length 700) is longer than the maximum model length of 512."),
    refusal(400, "the request exceeds the available context size, try increasing it"),
    refusal(400, "The input (700 tokens) is longer than the model's context length (512 tokens)."),
    refusal(422, "`inputs` tokens + `max_new_tokens` must be <= 512. Given: 700 `inputs` tokens"),
    Reply(413, {"detail": "prompt is too long"}),
]


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_history_is_dropped_until_the_prompt_fits(
    server: StubServer, histories: list[History], overflow: Reply
) -> None:
    server.answer = lambda payload, n: overflow if n <= 2 else completion("<action>up</action>")
    decision = policy(server).act([histories[7]])[0]  # two past turns are shown
    prompts = [payload["messages"][0]["content"] for payload in server.payloads]
    assert (decision.action, decision.dropped_turns) == ("up", 2)
    assert [prompt.count("] Action:") for prompt in prompts] == [2, 1, 0]


@pytest.mark.parametrize("protocol", ["chat", "tools"])
def test_a_chat_that_outgrows_the_server_drops_its_older_half_as_a_local_one_does(
    server: StubServer, protocol: Protocol
) -> None:
    most = 9  # messages: four turns and the observation at hand
    spec = TaskSpec("Sokoban", difficulty="easy", split="test")
    server.answer = lambda payload, n: OVERFLOWS[0] if len(payload["messages"]) > most else completion("hm")
    (played,) = play([Job(spec, 0)], policy(server, prompt=PromptConfig(protocol=protocol)))
    dropped = [step.dropped_turns for step in played.steps]
    assert dropped == [
        first_shown(turns, lambda first, last: 2 * (last - first) + 1 <= most) for turns in range(len(played.steps))
    ]
    n_drops = len(set(dropped)) - 1
    assert (n_drops > 2, len(server.payloads)) == (True, len(played.steps) + n_drops)


def test_an_episode_that_is_gone_on_with_shows_the_turns_that_it_showed_before(server: StubServer) -> None:
    past = Turn("grid", None, "hm")
    gone_on = History(("l", 0, 0, 8), "Sokoban", "Push.", 8, 9, "grid", (past,) * 7, (), ("up",), dropped_turns=5)
    decision = policy(server, prompt=PromptConfig(protocol="chat")).act([gone_on])[0]
    assert (decision.dropped_turns, len(server.payloads[0]["messages"])) == (5, 5)


def test_history_is_dropped_where_the_server_would_cut_the_completion_short(
    server: StubServer, histories: list[History]
) -> None:
    server.models = Reply(200, {"data": [{"id": "tiny", "owned_by": "vllm", "max_model_len": 601}]})  # 90 + 512 = 602
    long, short = completion("<action>up</action>"), completion("<action>left</action>")
    short.body["usage"]["prompt_tokens"] = 89
    server.answer = lambda payload, n: long if n == 1 else short
    decision = policy(server).act([histories[7]])[0]
    assert (decision.action, decision.dropped_turns) == ("left", 1)


def test_a_prompt_that_never_fits_is_recorded_as_such(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: OVERFLOWS[0]
    decision = policy(server).act([histories[7]])[0]
    assert (decision.completion, decision.action, decision.reason) == ("", None, ParseReason.PROMPT_TOO_LONG)


def test_models_that_want_max_completion_tokens_get_it(server: StubServer, histories: list[History]) -> None:
    said = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    server.answer = lambda payload, n: (
        refusal(400, said) if "max_tokens" in payload else completion("<action>up</action>")
    )
    decisions = policy(server, concurrency=1).act(histories[:3])
    assert [decision.action for decision in decisions] == ["up"] * 3
    assert [payload.get("max_completion_tokens") for payload in server.payloads] == [None, 512, 512, 512]


def test_a_thought_that_the_server_took_out_is_put_back(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion("<action>up</action>", reasoning_content="<action>down</action>?")
    decision = policy(server).act(histories[:1])[0]
    assert decision.completion == "<think><action>down</action>?</think><action>up</action>"
    assert decision.action == "up"


def test_a_thought_and_nothing_else_holds_no_action(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion(None, reasoning="I could go up, or")
    assert policy(server).act(histories[:1])[0].reason is ParseReason.NO_ACTION


@pytest.mark.parametrize(("owner", "sent"), [("vllm", {"enable_thinking": True}), ("openai", None)])
def test_thinking_is_sent_to_servers_that_take_it(
    server: StubServer, histories: list[History], owner: str, sent: dict[str, bool] | None
) -> None:
    server.models = Reply(200, {"data": [{"id": "tiny", "owned_by": owner}]})
    policy(server).act(histories[:1])
    assert server.payloads[0].get("chat_template_kwargs") == sent


def test_a_model_that_the_server_does_not_have_is_refused(server: StubServer) -> None:
    server.models = Reply(200, {"data": [{"id": "large", "owned_by": "vllm"}, {"id": "small", "owned_by": "vllm"}]})
    with pytest.raises(PolicyError) as caught:
        policy(server)
    assert str(caught.value) == f"the server at {server.url} does not serve 'tiny'; choose one of: large, small"


def test_a_wrong_api_key_is_one_clear_error(server: StubServer) -> None:
    server.models = refusal(401, "incorrect API key")
    with pytest.raises(PolicyError, match=r"refused the API key \(401 incorrect API key\); set OPENAI_API_KEY"):
        policy(server)


def test_a_server_without_a_list_of_models_is_taken_as_it_is(server: StubServer, histories: list[History]) -> None:
    server.models = refusal(404, "not found")
    assert policy(server).act(histories[:1])[0].action == "up"


def test_no_histories_no_requests(server: StubServer) -> None:
    assert policy(server).act([]) == []


def test_the_description_names_server_and_model(server: StubServer) -> None:
    description = json.loads(json.dumps(policy(server).describe()))
    assert (description["kind"], description["model"], description["base_url"]) == ("server", "tiny", server.url)
    assert description["sampling"]["max_tokens"] == 512
