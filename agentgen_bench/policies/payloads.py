"""Requests for chat completions. Pure; nothing here sends anything."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agentgen_bench.parsing import STOP_STRINGS
from agentgen_bench.policies.calls import wire_messages
from agentgen_bench.policies.engines import Engine, Parameters, sampling_parameters
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import Message, PromptConfig
from agentgen_bench.tools import Tool

LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")  # the second for OpenAI's reasoning models


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What every request of a run has in common."""

    model: str
    prompt_config: PromptConfig
    sampling: Sampling
    engine: Engine

    def parameters(self, seed: int, refused: Collection[str] = ()) -> Parameters:
        """Return the parameters beside model and messages, without those that the server refused."""
        found = sampling_parameters(self.sampling, self.engine)
        found["seed"] = seed
        if stops := STOP_STRINGS[self.prompt_config.action_format]:
            found["stop"] = list(stops)
        if self.prompt_config.protocol == "tools":
            found["tool_choice"] = "auto"  # what is required is always a call, whatever the model would have said
        if self.engine.has_switch:
            found["chat_template_kwargs"] = {"enable_thinking": self.prompt_config.thinking}
        length = next((name for name in LENGTH_FIELDS if name not in refused), None)
        if length is not None:
            found[length] = self.sampling.max_tokens
        return {name: value for name, value in found.items() if name not in refused}

    def payload(self, chat: Sequence[Message], parameters: Parameters, tools: Sequence[Tool] = ()) -> dict[str, object]:
        """Return the body of a request for the messages, to be answered by a call of one of the tools, if any.

        Without tools no choice among them is sent: servers refuse that.
        """
        if not tools:
            listed = [{"role": message.role, "content": message.content} for message in chat]
            own = {name: value for name, value in parameters.items() if name != "tool_choice"}
            return {"model": self.model, "messages": listed, **own}
        schemas = [tool.schema() for tool in tools]
        return {"model": self.model, "messages": wire_messages(chat), "tools": schemas, **parameters}
