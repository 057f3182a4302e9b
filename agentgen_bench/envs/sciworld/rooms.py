"""The rooms of the house and their doors, which are the same in every level."""

import re

DOORS: dict[str, tuple[str, ...]] = {
    "hallway": ("art studio", "bedroom", "greenhouse", "kitchen", "living room", "workshop"),
    "kitchen": ("bathroom", "hallway", "outside"),
    "outside": ("foundry", "greenhouse", "kitchen"),
    "greenhouse": ("hallway", "outside"),
    "art studio": ("hallway",),
    "bedroom": ("hallway",),
    "living room": ("hallway",),
    "workshop": ("hallway",),
    "bathroom": ("kitchen",),
    "foundry": ("outside",),
}
_ROOM = re.compile(r"This (?:room|outside location) is called the ([a-z ]+)\.")


def way(origin: str, goal: str) -> list[str]:
    """Return the rooms from one to another, the first left out: a shortest way.

    Examples:
        >>> way("art studio", "outside")
        ['hallway', 'greenhouse', 'outside']
    """
    routes = {origin: [origin]}
    coming = [origin]
    for room in coming:
        for following in DOORS.get(room, ()):
            if following not in routes:
                routes[following] = [*routes[room], following]
                coming.append(following)
    return routes.get(goal, [origin])[1:]


def room_of(look: str) -> str:
    """Return the room that a look describes; "" where it describes none."""
    match = _ROOM.search(look)
    return match[1] if match else ""


def is_shut(look: str, room: str) -> bool:
    """Return whether a look says that the door to a room is closed."""
    return f"door to the {room} (that is closed)" in look
