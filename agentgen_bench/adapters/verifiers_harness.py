"""verifiers: the program of the agent's seat, which asks the model once a turn and runs nothing."""

from typing import Any

import verifiers.v1 as vf
from openai import AsyncOpenAI
from verifiers.v1.dialects.chat import message_to_wire


class Asking(vf.Harness[vf.HarnessConfig]):  # type: ignore[misc]
    """One streamed chat completion a turn, through the interception server that writes the trace.

    Streamed, because that server keeps such a request alive however long the model takes, and lets others time out.
    """

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True  # each turn is asked with the whole conversation
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        """Ask for the next completion, and read it to its end."""
        system, prompt = self.resolve_prompt(data)
        chat: list[Any] = [] if system is None else [{"role": "system", "content": system}]
        chat += [message_to_wire(message) for message in prompt]
        async with AsyncOpenAI(base_url=endpoint, api_key=secret) as client:
            stream = await client.chat.completions.create(
                model=ctx.model, messages=chat, stream=True, stream_options={"include_usage": True}
            )
            reasons = [choice.finish_reason async for chunk in stream for choice in chunk.choices]
        if not any(reasons):
            raise vf.HarnessError("the model's stream ended before its completion did")
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")
