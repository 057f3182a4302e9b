"""The process that plays one game on the official stack: JSON lines in, JSON lines out.

Runs as a plain script, so that its interpreter needs textworld and alfworld but not this package. It is re-used for
game after game, because the official environment leaks a few megabytes each time it is created.
"""

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO, TypedDict


class Request(TypedDict, total=False):
    """What the process is asked: to load a game, to execute a command, or for a plan."""

    op: str
    game: Mapping[str, Any]  # the JSON object of a game file
    command: str


class Reply(TypedDict, total=False):
    """What it answers: that it is ready, the state after load or step, a plan, or what went wrong."""

    ready: bool
    feedback: str
    admissible_commands: list[str]
    won: bool
    is_valid: bool
    plan: list[str]
    error: str


def main() -> None:
    """Answer requests until the input ends."""
    requests, replies = _private_channel()
    speed_up = "--stock" not in sys.argv
    session = _Session(speed_up)
    replies.write(json.dumps({"ready": True}) + "\n")
    replies.flush()
    for line in requests:
        request = json.loads(line)
        try:
            reply = session.answer(request)
        except Exception as error:  # noqa: BLE001 - whatever went wrong in there belongs to the other side
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


class _Session:
    """The official environment, and what it last said."""

    def __init__(self, speed_up: bool) -> None:
        import textworld
        from alfworld.agents.utils.misc import Demangler
        from textworld.envs import PddlEnv

        if speed_up:
            _speed_up()
        self._demangler = Demangler
        self._env = PddlEnv(textworld.EnvInfos(admissible_commands=True, won=True))
        self._state: Any = None

    def answer(self, request: Request) -> Reply:
        """Return the reply to one request: load, step or plan."""
        if request["op"] == "load":
            return self._load(request["game"])
        if request["op"] == "step":
            self._state, _, _ = self._env.step(request["command"])
            return self._said()
        if request["op"] == "plan":
            return {"plan": _in_a_fork(lambda: list(self._env._pddl_state.replan(self._env._entity_infos)))}
        raise ValueError(f"unknown request {request['op']!r}")

    def _load(self, game: Mapping[str, Any]) -> Reply:
        self._env.load(game)
        infos = self._env._entity_infos  # named as AlfredDemangler(shuffle=False) names them
        demangler = self._demangler(game_infos=infos, shuffle=False)
        for info in infos.values():
            info.name = demangler.demangle_alfred_name(info.id)
        self._state = self._env.reset()
        return self._said()

    def _said(self) -> Reply:
        return {
            "feedback": self._state.feedback,
            "admissible_commands": list(self._state["admissible_commands"]),
            "won": bool(self._state["won"]),
            "is_valid": self._env._last_action is not None,
        }


def _in_a_fork(compute: Callable[[], list[str]]) -> list[str]:
    """Return what `compute` does in a copy of this process.

    The official planner never comes back from a second plan in one process, so this process never plans.
    """
    end, other_end = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(other_end, json.dumps(compute()).encode())  # some hundred bytes: a pipe takes them at once
            code = 0
        finally:
            os._exit(code)
    os.close(other_end)
    with os.fdopen(end, "rb") as answer:
        plan = answer.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the planner ended with status {status}")
    return list(json.loads(plan))


def _private_channel() -> tuple[TextIO, TextIO]:
    """Return the pipes to the other side; standard output goes to standard error from here on.

    The planner is C++ and prints to standard output as it pleases.
    """
    requests, replies = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return requests, replies


def _speed_up() -> None:
    """Cache what the official stack parses again at every step; what it says stays the same.

    Each derivation parses its start symbol and each condition anew, and copies the whole context deeply, although
    nothing in a context is ever changed in place; loading translates the same problem twice, and so does each reset.
    The differential test compares the two with `--stock` as well.
    """
    import fast_downward
    from textworld.envs.pddl import textgen
    from textworld.logic import Rule

    parsed = functools.lru_cache(maxsize=65536)(textgen._parse_and_convert)
    textgen._parse_and_convert = lambda text, **kwargs: _fresh(parsed(text, rule_name=kwargs["rule_name"]))
    Rule.parse_conjunctive_query = functools.lru_cache(maxsize=65536)(Rule.parse_conjunctive_query)
    textgen.copy_context = lambda context: {
        **context,
        "variables": dict(context["variables"]),
        "mapping": dict(context["mapping"]),
    }
    textgen.deepcopy = _fresh
    textgen.Symbol.copy = _copied
    fast_downward.pddl2sas = functools.lru_cache(maxsize=8)(fast_downward.pddl2sas)


def _copied(symbol: Any, context: Any) -> Any:
    from textworld.envs.pddl import textgen

    copy = _fresh(symbol)
    copy.context = textgen.copy_context(context)
    return copy


def _fresh(value: Any) -> Any:
    """Return a copy of a symbol or of a list of them, sharing everything that derivations leave alone."""
    if isinstance(value, list):
        return [_fresh(item) for item in value]
    copy = object.__new__(type(value))
    copy.__dict__.update(value.__dict__)
    for part in ("symbol", "expression"):  # a list symbol holds a symbol whose context is set during derivation
        inner = copy.__dict__.get(part)
        if hasattr(inner, "context"):
            copy.__dict__[part] = _fresh(inner)
    return copy


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
