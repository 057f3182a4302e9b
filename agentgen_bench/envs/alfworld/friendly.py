"""The optional friendlier mode: takes the verbs of both dialects, and says why a command did nothing.

Reasons speak only of what is in plain sight: where the agent stands, what it holds, what is open.
"""

import re

from agentgen_bench.envs.alfworld import wording
from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Dialect
from agentgen_bench.envs.alfworld.scene import NOTHING

_MOVE = re.compile(r"move (\S+ \d+) to (\S+ \d+)")
_PUT = re.compile(r"put (\S+ \d+) (?:in/on|in|on) (\S+ \d+)")


def translated(dialect: Dialect, command: str) -> str:
    """Return the command in this dialect's words; anything but putting down is returned as it is.

    Examples:
        >>> translated(Dialect.V04, "put mug 1 in/on shelf 2")
        'move mug 1 to shelf 2'
    """
    pattern, words = (_PUT, r"move \1 to \2") if dialect is Dialect.V04 else (_MOVE, r"put \1 in/on \2")
    stripped = command.strip()
    return pattern.sub(words, stripped) if pattern.fullmatch(stripped) else command


def explained(engine: Engine, command: str) -> str:
    """Return the feedback of a command that did nothing: the official words, then the reason."""
    return f"{wording.NOTHING_HAPPENS} {_reason(engine, command)}"


def _reason(engine: Engine, command: str) -> str:
    verb, first, second = engine.parse(command)
    scene = engine.scene
    if not verb:
        return (
            "That is not a command with things you know; 'help' lists the commands."
            if _has_help(engine)
            else "That is not a command."
        )
    if verb == "go":
        return "You are already there."
    if verb in ("open", "close", "examine"):
        return _receptacle_reason(engine, verb, first)
    if verb in ("inspect", "put", "heat", "clean", "cool") and first != engine.held:
        return f"You are not carrying the {scene.object_names[first]}."
    if verb == "take" and engine.held != NOTHING:
        return f"Your hands are full: you are carrying the {scene.object_names[engine.held]}."
    if verb in ("take", "put", "heat", "clean", "cool"):
        return _pair_reason(engine, verb, first, second)
    if verb == "slice":
        return "You need to hold a knife, and to stand where the thing lies, and it must be sliceable."
    return f"You cannot {verb} that here."


def _has_help(engine: Engine) -> bool:
    return engine.scene.dialect is Dialect.V04


def _receptacle_reason(engine: Engine, verb: str, receptacle: int) -> str:
    name = engine.scene.receptacle_names[receptacle]
    if engine.scene.receptacle_location[receptacle] != engine.location:
        return f"You are not at the {name}."
    if not engine.scene.openable[receptacle]:
        return f"The {name} cannot be opened or closed."
    return f"The {name} is already {'open' if verb == 'open' else 'closed'}."


def _pair_reason(engine: Engine, verb: str, item: int, receptacle: int) -> str:
    scene = engine.scene
    item_name, receptacle_name = scene.object_names[item], scene.receptacle_names[receptacle]
    if scene.receptacle_location[receptacle] != engine.location:
        return f"You are not at the {receptacle_name}."
    if verb in ("take", "put") and not engine.is_accessible(receptacle):
        return f"The {receptacle_name} is closed."
    if verb == "take":
        return f"There is no {item_name} to take there."
    if verb == "put":
        return f"The {item_name} does not go there."
    return f"You cannot {verb} the {item_name} with the {receptacle_name}."
