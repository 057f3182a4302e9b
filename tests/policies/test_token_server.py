"""The policy that asks a vLLM server in tokens: a stub in a thread answers with the tiny model's own draws."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.token_server import TokenServerPolicy
from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.prompts import History, PromptConfig

SAMPLING = Sampling(temperature=1.0, max_tokens=8, seed=5)
CONTEXT_TOKENS = 700


class StubServer:
    """vLLM's `/v1/models` and `/v1/completions`, as far as the policy reads them."""

    def __init__(self, model: TransformersPolicy) -> None:
        self.model = model
        self.context = CONTEXT_TOKENS
        self.payloads: list[dict[str, Any]] = []
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda choice: choice
        lock, server = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({"data": [{"id": "served", "max_model_len": server.context}]})

            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    server.payloads.append(payload)
                    self.answer({"choices": [server.change(server.choice(payload))]})

            def answer(self, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def choice(self, payload: dict[str, Any]) -> dict[str, Any]:
        if "prompt_logprobs" in payload:
            ids = payload["prompt"]
            (scores,) = self.model.token_logprobs([ids[:1]], [ids[1:]])
            shown = [{str(token): {"logprob": score}} for token, score in zip(ids[1:], scores, strict=True)]
            return {"token_ids": [0], "logprobs": {"token_logprobs": [-1.0]}, "prompt_logprobs": [None, *shown]}
        (drawn,) = self.model.generate([payload["prompt"]], [payload["seed"]])
        return {"token_ids": drawn.ids, "logprobs": {"token_logprobs": drawn.logprobs}}


@pytest.fixture(scope="module")
def local(tiny_model: Path) -> TransformersPolicy:
    return TransformersPolicy(
        tiny_model, PromptConfig(), SAMPLING, device="cpu", max_model_len=CONTEXT_TOKENS, with_logprobs=True
    )


@pytest.fixture
def server(local: TransformersPolicy) -> Iterator[StubServer]:
    stub = StubServer(local)
    yield stub
    stub.http.shutdown()
    stub.http.server_close()


def policy(server: StubServer, tiny_model: Path, **options: Any) -> TokenServerPolicy:
    options = {"max_model_len": CONTEXT_TOKENS, "concurrency": 4, "retries": 1, "backoff_s": 0.01, **options}
    return TokenServerPolicy(tiny_model, server.url, PromptConfig(), SAMPLING, **options)


def test_it_decides_as_the_model_in_this_process_does(
    server: StubServer, local: TransformersPolicy, tiny_model: Path, histories: list[History]
) -> None:
    theirs, ours = policy(server, tiny_model).act(histories[:12]), local.act(histories[:12])
    assert [decision._replace(sample=None) for decision in theirs] == [d._replace(sample=None) for d in ours]
    for their, our in zip(theirs, ours, strict=True):
        assert their.sample is not None
        assert our.sample is not None
        assert their.sample[:2] == our.sample[:2]
        assert their.sample.logprobs == pytest.approx(our.sample.logprobs, abs=1e-4)


def test_a_request_leaves_nothing_to_the_models_generation_config(
    server: StubServer, tiny_model: Path, histories: list[History]
) -> None:
    asked = policy(server, tiny_model)
    asked.act(histories[:1])
    payload = server.payloads[0]
    settings = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens", "seed")
    expected = (1.0, 1.0, -1, 0.0, 1.0, 8, SAMPLING.request_seed(histories[0].key))
    assert tuple(payload[name] for name in settings) == expected
    assert (payload["model"], payload["return_token_ids"]) == ("served", True)
    assert payload["stop_token_ids"] == list(asked.stop_ids)


def test_log_probabilities_of_given_completions_are_the_models(
    server: StubServer, local: TransformersPolicy, tiny_model: Path
) -> None:
    prompts, completions = [(5, 6, 7), (8,)], [(9, 10), (11, 12, 13)]
    theirs = policy(server, tiny_model).token_logprobs(prompts, completions)
    for their, our in zip(theirs, local.token_logprobs(prompts, completions), strict=True):
        assert their == pytest.approx(our, abs=1e-4)


def test_a_server_without_token_ids_is_refused(server: StubServer, tiny_model: Path, histories: list[History]) -> None:
    server.change = lambda choice: {"text": "up", "logprobs": choice["logprobs"]}
    with pytest.raises(PolicyError, match=r"lacks 'token_ids'; token ids need vLLM 0.22 or later"):
        policy(server, tiny_model).act(histories[:1])


def test_ids_without_their_log_probabilities_are_refused(
    server: StubServer, tiny_model: Path, histories: list[History]
) -> None:
    server.change = lambda choice: {**choice, "token_ids": [*choice["token_ids"], 1]}
    with pytest.raises(PolicyError, match=r"sent \d+ token ids and \d+ log-probabilities"):
        policy(server, tiny_model).act(histories[:1])


def test_a_server_with_too_small_a_context_is_refused(server: StubServer, tiny_model: Path) -> None:
    server.context = 300
    with pytest.raises(PolicyError, match="has a context of 300 tokens, 700 are asked for; start it with --max-model"):
        policy(server, tiny_model)


def test_its_weights_are_its_trainers_to_change(server: StubServer, tiny_model: Path) -> None:
    from safetensors.torch import load_file

    with pytest.raises(PolicyError, match="are its trainer's to change, not a policy's"):
        policy(server, tiny_model).load_weights(load_file(tiny_model / "model.safetensors").items())
