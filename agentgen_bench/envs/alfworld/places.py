"""Where things are, in words: what a house's fact says, and what a note about a house may say."""

import re
from collections.abc import Mapping

Places = Mapping[str, Mapping[str, str]]  # room -> kind of object -> receptacle

_ROOM = re.compile(r"([a-z]+ of \d+ places) \(([^()]*)\)")
_PLACE = re.compile(r"([a-z]+ \d+): ([a-z]+(?:, [a-z]+)*)")


def room_label(kind: str, n_receptacles: int) -> str:
    """Return what a room is called: its kind, and how many places it lists, by which it is told from another."""
    return f"{kind} of {n_receptacles} places"


def places_text(places: Places) -> str:
    """Return the usual places as one text.

    Examples:
        >>> places_text({"kitchen of 9 places": {"apple": "fridge 1", "egg": "fridge 1", "mug": "cabinet 2"}})
        'kitchen of 9 places (fridge 1: apple, egg; cabinet 2: mug)'
    """
    rooms = []
    for room, usual in places.items():
        held: dict[str, list[str]] = {}
        for kind, receptacle in usual.items():
            held.setdefault(receptacle, []).append(kind)
        listed = [f"{at}: {', '.join(kinds)}" for at, kinds in held.items()]
        rooms.append(f"{room} ({'; '.join(listed)})")
    return "; ".join(rooms)


def read_places(text: str) -> dict[str, dict[str, str]]:
    """Return the usual places that `places_text` wrote; what is not of its form is left out.

    Examples:
        >>> read_places("kitchen of 9 places (fridge 1: apple, egg; cabinet 2: mug)")
        {'kitchen of 9 places': {'apple': 'fridge 1', 'egg': 'fridge 1', 'mug': 'cabinet 2'}}
    """
    return {
        room: {kind: at for at, kinds in _PLACE.findall(listed) for kind in kinds.split(", ")}
        for room, listed in _ROOM.findall(text)
    }
