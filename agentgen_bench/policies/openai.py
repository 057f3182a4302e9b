"""A model behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, or a hosted service.

The server tokenizes, so a prompt that does not fit is found out by its refusal: history is then dropped until it
fits, turn by turn under windows, by halves in chats, as for a model in this process. Whether a seeded completion
repeats is the server's affair; the seeds sent do. docs/servers.md tells what is sent, what is recorded and which
failures are tried again.
"""

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

from agentgen_bench.address import API_KEY_VARIABLE, clean_key
from agentgen_bench.answers import read_answer, tools_for
from agentgen_bench.errors import PolicyError
from agentgen_bench.parsing import PARSING_VERSION, ParseReason, without_stop
from agentgen_bench.policies.asking import Answered, Asking, Request
from agentgen_bench.policies.backends import BackEnd, Wanted
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.calls import written_calls
from agentgen_bench.policies.engines import ADDED_BY_SERVERS, Served, models_of
from agentgen_bench.policies.flow import Flow
from agentgen_bench.policies.http import Answer, HttpClient, is_final
from agentgen_bench.policies.payloads import LENGTH_FIELDS, ChatRequest
from agentgen_bench.policies.refusals import USUAL, is_overflow, refused_parameter
from agentgen_bench.policies.replies import Reply, is_permanent, read_reply
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.template import PROBE, Around, around
from agentgen_bench.prompts import History, Message, PromptConfig, messages, shown_turns
from agentgen_bench.tools import Tool

_PROBE_TOOL = Tool("answer", "Give the answer.", "text", "{}")


class OpenAIPolicy:
    """The model `model` of the server at `base_url`, asked over /chat/completions.

    At most `concurrency` requests are under way. Rate limits (429), server errors (5xx, also inside a 200), time-outs
    and broken connections are tried again with exponential back-off, as long as the server's Retry-After asks where it
    asks; any other refusal ends the run at once with the server's own words. A parameter that the server does not take
    is left out where that changes nothing that was asked for, said once, and recorded.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        prompt_config: PromptConfig,
        sampling: Sampling,
        *,
        concurrency: int = 32,
        timeout_s: float = 600.0,
        retries: int = 6,
        backoff_s: float = 0.5,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Ask the server which models it serves; raises PolicyError where it is down or does not know `model`.

        The API key, where there is one, is the environment variable OPENAI_API_KEY.

        Args:
            base_url: the server's root with its version, such as http://localhost:8000/v1. A user, password or query
                in it is sent with every request and shown nowhere.
            model: the name under which the server serves the model.
            prompt_config: how a history becomes a prompt.
            sampling: sent with every request; the seed is each request's own.
            concurrency: requests under way at once.
            timeout_s: seconds for a whole answer, after which a request counts as lost.
            retries: how often a lost request is sent again.
            backoff_s: seconds before the first retry; doubled for each further one, up to 30.
            say: takes a line about what is waited for or left out; None drops it.
        """
        self.name = model
        self.prompt_config = prompt_config
        self.sampling = sampling
        self._say = say or (lambda line: None)
        self._client = HttpClient(
            base_url,
            api_key=clean_key(os.environ.get(API_KEY_VARIABLE), API_KEY_VARIABLE),
            timeout_s=timeout_s,
            retries=retries,
            backoff_s=backoff_s,
            connections=concurrency,
            say=say,
        )
        self.base_url: str = self._client.shown
        self._served = self._client.run(self._ask_models())
        self._request = ChatRequest(model, prompt_config, sampling, self._served.engine)
        self._refused: dict[str, str] = {}  # parameter: the server's words
        self._around: Around | None = None
        self._is_settled = self._has_answered = False
        self._takes_thoughts = False  # out of the content, as far as its replies have shown

    @property
    def _calls(self) -> bool:
        """Whether the model answers by function calls."""
        return self.prompt_config.protocol == "tools"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history; the first request that fails for good ends the batch."""
        return self._client.run(self._act(histories)) if histories else []

    def asking(self) -> Asking:
        """Return a way of asking in which each request is sent as soon as there is a connection for it."""
        self._client.run(self._settle(ask=False))
        return _Asking(self, self._client)

    def with_prompt(self, prompt_config: PromptConfig) -> Self:
        """Return this policy with other prompt settings; connections are shared, what is refused is asked anew."""
        view = copy.copy(self)
        view.prompt_config = prompt_config
        view._request = replace(self._request, prompt_config=prompt_config)
        view._refused, view._around = {}, None
        view._is_settled = view._has_answered = False
        return view

    def describe(self) -> Description:
        """Return server and model names, prompt, what is sent and what is refused; plain JSON, without any secret.

        Where nothing was asked yet, the server is asked one short question first: what it refuses is part of what
        decides a run, and is to be known before the run.
        """
        self._client.run(self._settle(ask=True))
        sent = self._request.parameters(0, self._refused)
        sent.pop("seed", None)
        return {
            "kind": "server",
            "model": self.name,
            "base_url": self.base_url,
            "backend": "openai-compatible",
            "server": self._served.owner,
            "max_model_len": self._served.context_tokens,
            "prompt": self.prompt_config.to_json(),
            "sampling": self.sampling.to_json(),
            "sent": sent,
            "refused": sorted(self._refused),
            "left_to_server": [name for name in ADDED_BY_SERVERS if name not in sent],
            "template_writes": None if self._around is None else self._around.to_json(),
            "parsing_version": PARSING_VERSION,
        }

    async def _act(self, histories: Sequence[History]) -> list[Decision]:
        await self._settle(ask=False)
        return await self._client.gather(self.decide(history) for history in histories)

    async def decide(self, history: History) -> Decision:
        """Return the decision of one history; a coroutine of this policy's client."""
        is_window = self.prompt_config.protocol == "window"
        most = shown_turns(history, self.prompt_config)
        tools = tools_for(history) if self._calls else ()
        turns = most if is_window else max(0, most - history.dropped_turns)  # a chat goes on from where it began
        while True:
            chat = messages(history, self.prompt_config, turns=turns)
            reply = await self._complete(chat, history.key, tools)
            if reply is not None:
                chars = sum(len(message.content) for message in chat)
                return self._decision(history, reply, chars, most - turns)
            if not turns:
                return Decision("", None, ParseReason.PROMPT_TOO_LONG)
            turns -= 1 if is_window else (turns + 1) // 2  # of a chat its older half, as `chat.first_shown` has it

    def _decision(self, history: History, reply: Reply, prompt_chars: int, dropped_turns: int) -> Decision:
        reply = self._stopped(reply)
        text = self._opening(reply) + reply.completion
        if self._calls:
            text += written_calls(reply.tool_calls, cut=reply.is_cut)
        reading = read_answer(text, history, self.prompt_config, cut=reply.is_cut)
        return Decision(
            completion=text,
            action=reading.action,
            reason=reading.reason,
            prompt_chars=prompt_chars,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            dropped_turns=dropped_turns,
            finish_reason=reply.finish_reason,
            marks=reading.marks,
        )

    def _stopped(self, reply: Reply) -> Reply:
        """Return the reply up to where the action format stops, as of a server that takes `stop`."""
        content = without_stop(reply.content, self.prompt_config.action_format)
        return reply if content == reply.content else reply._replace(content=content, finish_reason="stop")

    def _opening(self, reply: Reply) -> str:
        """Return `<think>` where the chat template wrote it, so that the reply's text begins inside the thought.

        Not where the server, or a gateway before it, took the thought out and it was empty. Of an answer that was cut
        the reply itself has to say so: some servers leave a thought without an end where it is.
        """
        opening, text = "" if self._around is None else self._around.opening, reply.completion
        is_taken_out = reply.thought is not None or (self._takes_thoughts and not reply.is_cut)
        return "" if not text or is_taken_out or text.lstrip().startswith(opening) else opening

    async def _complete(
        self, chat: Sequence[Message], key: tuple[str | int, ...], tools: Sequence[Tool]
    ) -> Reply | None:
        """Return the server's reply; None where prompt and `max_tokens` do not fit its context.

        vLLM and SGLang refuse only prompts that leave no room at all, and cut completions short where little is left;
        LMDeploy cuts off everything. That too counts as not fitting, as it does for a model in this process.
        """
        while True:
            parameters = self._request.parameters(self.sampling.request_seed(key), self._refused)
            payload = self._request.payload(chat, parameters, tools)
            answer = await self._client.post("/chat/completions", payload, key, _check)
            if is_overflow(answer):
                return None
            if answer.is_success:
                self._has_answered = True
                reply = read_reply(answer.body)
                self._takes_thoughts = self._takes_thoughts or reply.thought is not None
                return self._fitting(reply)
            refused = refused_parameter(answer, parameters)
            if refused is None:
                raise self._refusal(answer)
            self._leave_out(refused, parameters[refused], answer)

    def _fitting(self, reply: Reply) -> Reply | None:
        context = self._served.context_tokens
        wrote_nothing = reply.is_cut and not reply.completion and not reply.completion_tokens and reply.prompt_tokens
        is_short = context is not None and reply.prompt_tokens + self.sampling.max_tokens > context
        return None if wrote_nothing or is_short else reply

    def _leave_out(self, name: str, value: Any, answer: Answer) -> None:
        """Send `name` no more; raises PolicyError where the run would then not be the one that was asked for."""
        if name in self._refused:
            return  # another request was told so at the same time
        asked = {"temperature": self.sampling.temperature, "top_p": self.sampling.top_p, "top_k": self.sampling.top_k}
        if asked.get(name) not in (None, USUAL.get(name)):
            advice = f"run with --{name.replace('_', '-')} {USUAL[name]:g}" if name in USUAL else "leave it out"
            raise PolicyError(
                f"the server at {self.base_url} does not take {name}={value}: {answer.status} {answer.message}; "
                f"{advice}"
            )
        self._refused[name] = answer.message
        then = " max_completion_tokens is sent instead" if name == LENGTH_FIELDS[0] else ""
        if name == "chat_template_kwargs" and not self.prompt_config.thinking:
            then = " that no thought is wanted stands in the prompt alone"
        self._say(f"the server at {self.base_url} does not take {name}; it is left out ({answer.message}){then}")

    def _refusal(self, answer: Answer) -> PolicyError:
        if answer.status == 401:
            return PolicyError(
                f"the server at {self.base_url} refused the API key ({answer.status} {answer.message}); "
                f"set {API_KEY_VARIABLE}"
            )
        return PolicyError(f"the server at {self.base_url} refused a request: {answer.status} {answer.message}")

    async def _ask_models(self) -> Served:
        """Return what the server's list of models says of ours; servers without a list exist."""
        answer = await self._client.get("/models")
        if answer.status == 401:
            raise self._refusal(answer)
        models = models_of(answer)
        if self.name in models:
            return models[self.name]
        if {served.owner for served in models.values()} & {"vllm", "sglang"}:  # these refuse any other name
            choices = ", ".join(sorted(models))
            raise PolicyError(f"the server at {self.base_url} does not serve {self.name!r}; choose one of: {choices}")
        return next(iter(models.values())) if len(models) == 1 else Served()

    async def _settle(self, *, ask: bool) -> None:
        """Learn, once, what the chat template writes around a prompt; and with `ask` what the server refuses."""
        if not self._is_settled:
            self._is_settled = True
            self._around = await self._ask_template()
        if ask and not self._has_answered:
            self._has_answered = True
            tools = (_PROBE_TOOL,) if self._calls else ()
            await self._complete([Message("user", "Answer with the one word: ok")], ("probe",), tools)

    async def _ask_template(self) -> Around | None:
        """Return what the template writes around a prompt, from the engines that tell; None from others."""
        system = [Message("system", self.prompt_config.system_prompt)] if self.prompt_config.system_prompt else []
        probe = self._request.payload([*system, Message("user", PROBE)], {})
        if self._served.engine.has_switch:
            probe["chat_template_kwargs"] = {"enable_thinking": self.prompt_config.thinking}
        if self._served.owner == "llamacpp":
            return around((await self._client.ask_once("/apply-template", probe)).body.get("prompt"))
        if self._served.owner != "vllm":
            return None
        tokens = (await self._client.ask_once("/tokenize", {**probe, "add_generation_prompt": True})).body.get("tokens")
        if not isinstance(tokens, list):
            return None
        ids = {"model": self.name, "tokens": tokens}
        return around((await self._client.ask_once("/detokenize", ids)).body.get("prompt"))


class _Asking:
    """Requests of one loop to the server."""

    def __init__(self, policy: OpenAIPolicy, client: HttpClient) -> None:
        self._policy = policy
        self._flow: Flow[Decision] = Flow(client)
        self.close = self._flow.close

    def submit(self, requests: Sequence[Request]) -> None:
        for number, history in requests:
            self._flow.start(number, partial(self._policy.decide, history))

    def poll(self) -> list[Answered]:
        return [Answered(number, decision) for number, decision in self._flow.take()]


def _check(answer: Answer) -> bool:
    """Return whether an answer is final; raises LostRequestError for a 200 that holds no completion."""
    if is_overflow(answer):
        return True
    if answer.is_success:
        read_reply(answer.body)
    return is_permanent(answer) or is_final(answer)


def _load(wanted: Wanted) -> OpenAIPolicy:
    server = wanted.server
    if server is None:
        raise PolicyError("the backend 'openai' asks a server; name it with --base-url URL")
    return OpenAIPolicy(
        server.base_url,
        wanted.model,
        wanted.prompt_config,
        wanted.sampling,
        concurrency=server.concurrency,
        timeout_s=server.timeout_s,
        retries=server.retries,
        say=wanted.say,
    )


BACK_END = BackEnd("openai", _load, behind_server=True)
