"""A session's functions as methods of a class, for packages that read a tool off a signature and a docstring."""

import json
from inspect import Parameter, Signature
from typing import Any

from agentgen_bench.tools import ParametersJson


def method_for(name: str, description: str, parameters: ParametersJson) -> Any:
    """Return a method of that name with one string parameter, which hands its arguments to `self._call`.

    It takes any arguments: what a model makes up reaches the session, which says what was wrong with it.
    """
    ((parameter, schema),) = parameters["properties"].items()

    def method(self: Any, **arguments: Any) -> Any:
        return self._call(name, arguments)

    choices = f" (choices: {json.dumps(schema['enum'])})" if "enum" in schema else ""
    kind = Parameter.POSITIONAL_OR_KEYWORD
    signature = Signature([Parameter("self", kind), Parameter(parameter, kind, annotation=str)], return_annotation=str)
    written: Any = method
    written.__name__ = written.__qualname__ = name
    written.__doc__ = f"{description}\n\nArgs:\n    {parameter}: The {parameter}.{choices}"
    written.__annotations__, written.__signature__ = {parameter: str, "return": str}, signature
    return written
