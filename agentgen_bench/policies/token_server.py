"""A model behind a vLLM server, asked in tokens: for training, where the ids drawn and their log-probabilities count.

Prompts are built and tokenized here, as for a model in this process; only the drawing is the server's. openai.py asks
any server in words; a text tokenized again is often not the tokens that were drawn.
"""

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agentgen_bench.address import API_KEY_VARIABLE, clean_key
from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.base import Description
from agentgen_bench.policies.engines import Parameters, models_of
from agentgen_bench.policies.flow import Flow
from agentgen_bench.policies.http import Answer, HttpClient, LostRequestError, is_final
from agentgen_bench.policies.local import Completions, Generation, TrainableLocalPolicy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig

TIMEOUT_S = 600.0  # without an answer for so long a request counts as lost


class TokenServerPolicy(TrainableLocalPolicy):
    """The model that a vLLM server (0.22 or later) serves under `/v1/completions`.

    Start the server with `--logprobs-mode processed_logprobs` for temperatures other than 1: log-probabilities are
    then those of the distribution the tokens were drawn from.
    """

    backend = "vllm-server"

    def __init__(
        self,
        model: str | Path,
        server: str,
        prompt_config: PromptConfig,
        sampling: Sampling,
        *,
        max_model_len: int | None = None,
        concurrency: int = 256,
        retries: int = 6,
        backoff_s: float = 0.5,
    ) -> None:
        """Load the tokenizer and ask the server what it serves.

        Args:
            model: the folder (or hub name) that the server serves too; its tokenizer is used here.
            server: the server's root, such as http://localhost:8000.
            prompt_config: how a history becomes a prompt.
            sampling: how completions are drawn; each request is sent its own seed.
            max_model_len: tokens of prompt and completion together; None: the model's limit, at most 16,384.
            concurrency: requests under way at once.
            retries: how often a lost request is sent again.
            backoff_s: seconds before the first retry; doubled for each further one, up to 30.
        """
        super().__init__(model, prompt_config, sampling, max_model_len=max_model_len, with_logprobs=True)
        self._client = HttpClient(
            _with_version(server),
            api_key=clean_key(os.environ.get(API_KEY_VARIABLE), API_KEY_VARIABLE),
            timeout_s=TIMEOUT_S,
            retries=retries,
            backoff_s=backoff_s,
            connections=concurrency,
        )
        self.server: str = self._client.address.root.shown
        self._served_name = self._client.run(self._ask_model())

    def generate(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Generation]:
        """Return one completion per prompt, in order."""
        return self._client.run(self._client.gather(map(self._draw, prompts, seeds)))

    def completions(self) -> Completions:
        """Return completions that are each asked for as soon as there is a connection for it."""
        return _Completions(self._client, self._draw)

    async def _draw(self, prompt: Sequence[int], seed: int) -> Generation:
        sampling = self.sampling
        # What is not sent, the server takes from the model's generation_config: Qwen's top_k of 20, for one.
        settings: Parameters = {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": -1 if sampling.top_k is None else sampling.top_k,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "stop_token_ids": list(self.stop_ids),
            "logprobs": 0,
        }
        if self.stop_strings:
            settings["stop"] = list(self.stop_strings)

        return _generation(await self._complete({**settings, "prompt": list(prompt), "seed": seed}, seed))

    def token_logprobs(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Return the served model's log-probability (temperature 1) of every token of given completions."""

        async def ask(prompt: Sequence[int], completion: Sequence[int]) -> list[float]:
            ids = [*prompt, *completion]
            settings = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
            choice = await self._complete({**settings, "prompt": ids}, len(ids))
            try:
                shown = choice["prompt_logprobs"][len(prompt) :]
                return [float(one[str(token)]["logprob"]) for one, token in zip(shown, completion, strict=True)]
            except (TypeError, ValueError, KeyError) as error:
                raise PolicyError(f"the server sent log-probabilities that are none: {error}") from None

        return self._client.run(self._client.gather(map(ask, prompts, completions)))

    def _replace_weights(self, named_tensors: Sequence[tuple[str, Any]]) -> None:
        raise PolicyError(f"the weights in the server at {self.server} are its trainer's to change, not a policy's")

    def _describe_backend(self) -> Description:
        return {"server": self.server, "served_model": self._served_name}

    async def _complete(self, settings: Mapping[str, Any], key: int) -> Mapping[str, Any]:
        payload = {"model": self._served_name, "n": 1, "return_token_ids": True, **settings}
        answer = await self._client.post("/completions", payload, ("completion", key), _check_choice)
        if not answer.is_success:
            raise PolicyError(f"the server at {self.server} refused a request: {answer.status} {answer.message}")
        choice: Mapping[str, Any] = answer.body["choices"][0]
        return choice

    async def _ask_model(self) -> str:
        """Return the first name under which the server serves its model."""
        answer = await self._client.get("/models")
        models = models_of(answer)
        if not models:
            raise PolicyError(f"the server at {self.server} lists no model: {answer.status} {answer.message}")
        name, served = next(iter(models.items()))
        context = served.context_tokens
        if context is not None and context < self.max_model_len:
            raise PolicyError(
                f"the server at {self.server} has a context of {context} tokens, {self.max_model_len} are asked for; "
                f"start it with --max-model-len {self.max_model_len}, or lower max_prompt_tokens or max_tokens"
            )
        return name


class _Completions:
    """Completions under way at the server."""

    def __init__(
        self, client: HttpClient, draw: Callable[[Sequence[int], int], Coroutine[Any, Any, Generation]]
    ) -> None:
        self._flow: Flow[Generation] = Flow(client)
        self._draw = draw
        self.take, self.close = self._flow.take, self._flow.close

    def add(self, number: int, prompt: Sequence[int], seed: int) -> None:
        self._flow.start(number, partial(self._draw, prompt, seed))


def _generation(choice: Mapping[str, Any]) -> Generation:
    try:
        ids = tuple(int(token) for token in choice["token_ids"])
        logprobs = tuple(float(value) for value in choice["logprobs"]["token_logprobs"])
    except (TypeError, ValueError, KeyError) as error:
        raise PolicyError(f"the server sent token ids or log-probabilities that are none: {error}") from None
    if len(ids) != len(logprobs):
        raise PolicyError(f"the server sent {len(ids)} token ids and {len(logprobs)} log-probabilities")
    return Generation(ids, logprobs)


def _check_choice(answer: Answer) -> bool:
    """Return whether an answer is final; raises LostRequestError for a 200 without a choice."""
    if not answer.is_success:
        return is_final(answer)
    choices = answer.body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, Mapping):
        raise LostRequestError("an answer without choices")
    missing = [name for name in ("token_ids", "logprobs") if name not in choice]
    if missing:
        raise PolicyError(f"the server's answer lacks {missing[0]!r}; token ids need vLLM 0.22 or later")
    return True


def _with_version(server: str) -> str:
    """Return a server's URL with /v1 at the end of its path."""
    path, mark, query = server.partition("?")
    return f"{path.rstrip('/').removesuffix('/v1')}/v1{mark}{query}"
