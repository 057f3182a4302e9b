"""Inspect's form of the functions that a session offers."""

from typing import Any

from inspect_ai.tool import ToolDef, ToolParams

from agentgen_bench.session import Session


def functions(session: Session) -> list[ToolDef]:
    """Return the functions on offer; the session reads the calls, and Inspect runs none of them."""
    return [_function(**tool["function"]) for tool in session.tools] if session.prompt.protocol == "tools" else []


def _function(name: str, description: str, parameters: dict[str, Any]) -> ToolDef:
    async def unused(**_: str) -> str:  # one of its own for each: Inspect writes the description on it
        raise NotImplementedError

    for parameter in parameters["properties"].values():
        parameter["description"] = description  # Inspect wants one, and there is one parameter
    return ToolDef(unused, name, description, ToolParams.model_validate(parameters))
