"""Inspect's form of the functions that a session offers."""

from inspect_ai.tool import ToolDef, ToolParams

from agentgen_bench.session import Session
from agentgen_bench.tools import ParametersJson


def functions(session: Session) -> list[ToolDef]:
    """Return the functions on offer; the session reads the calls, and Inspect runs none of them."""
    return [_function(**tool["function"]) for tool in session.tools] if session.prompt.protocol == "tools" else []


def _function(name: str, description: str, parameters: ParametersJson) -> ToolDef:
    async def unused(**_: str) -> str:  # one of its own for each: Inspect writes the description on it
        raise NotImplementedError

    # Inspect wants a description of each parameter, and there is one.
    described = {key: {**one, "description": description} for key, one in parameters["properties"].items()}
    return ToolDef(unused, name, description, ToolParams.model_validate({**parameters, "properties": described}))
