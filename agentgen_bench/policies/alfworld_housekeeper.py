"""A searcher for packs of one house: what it has seen it writes into its note, and looks there first the next time.

It is the reference searcher in everything else, so that with an empty note the two play alike. With the fact told it
reads that instead of the note.
"""

from collections.abc import Mapping, Sequence

from agentgen_bench.envs.alfworld.catalogue import likelihood_rank
from agentgen_bench.envs.alfworld.places import places_text, read_places, room_label
from agentgen_bench.envs.alfworld.searcher import Searcher
from agentgen_bench.policies.alfworld_searcher import recalled
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.policies.pack_frames import frame_of
from agentgen_bench.prompts import History

_SIGNS = {"bed": "bedroom", "toilet": "bathroom", "fridge": "kitchen"}  # a living room has none of them


class ALFWorldHousekeeper:
    """Looks where its note says that things are, and where common sense expects them otherwise."""

    name = "alfworld-housekeeper"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its observations alone."""
        return [_decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def _decide(history: History) -> Decision:
    if history.family != "ALFWorld":
        return NO_ANSWER
    frame = frame_of(history)
    known = read_places(frame.known)
    bare = recalled(frame.alone)
    room = _room(bare.places)
    if frame.is_writing:
        return frame.written(_written({**known, room: _updated(known.get(room, {}), bare)}, frame.max_chars))
    searcher = recalled(frame.alone, usual=known.get(room, {}))
    command = searcher.act()
    return answer(searcher.reason(command), command)


def _room(places: Sequence[str]) -> str:
    kinds = {name.partition(" ")[0] for name in places}
    kind = next((room for sign, room in _SIGNS.items() if sign in kinds), "livingroom")
    return room_label(kind, len(places))


def _updated(known: Mapping[str, str], searcher: Searcher) -> dict[str, str]:
    """Return where things of the room are by now: as seen first in this task, else as known and not seen otherwise."""
    seen = searcher.first_seen
    found = {item.partition(" ")[0]: place for place, items in seen.items() for item in items}
    kept = {kind: place for kind, place in known.items() if place not in seen}
    return {**kept, **found}


def _written(known: Mapping[str, Mapping[str, str]], max_chars: int) -> str:
    """Return the note: where common sense looks last for a thing is written down first, as much as there is room."""
    entries = [(room, kind, place) for room, places in known.items() for kind, place in places.items()]
    entries.sort(key=lambda entry: -likelihood_rank(entry[1], entry[2].partition(" ")[0]))
    kept: dict[str, dict[str, str]] = {}
    for room, kind, place in entries:
        wider = {**kept, room: {**kept.get(room, {}), kind: place}}
        if len(places_text(wider)) <= max_chars:
            kept = wider
    return places_text(kept)
