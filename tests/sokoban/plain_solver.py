"""A second opinion: optima by textbook search on plain Python sets, sharing nothing with the package."""

from collections import deque

STEPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def parsed(rows):
    cells = {(r, c): char for r, row in enumerate(rows) for c, char in enumerate(row)}
    floor = frozenset(cell for cell, char in cells.items() if char != "#")
    goals = frozenset(cell for cell, char in cells.items() if char in ".*+")
    boxes = frozenset(cell for cell, char in cells.items() if char in "$*")
    (player,) = (cell for cell, char in cells.items() if char in "@+")
    return floor, goals, boxes, player


def after(floor, boxes, player, step):
    """Return (boxes, player, pushed) after a step, or None where it is blocked."""
    ahead = (player[0] + step[0], player[1] + step[1])
    beyond = (ahead[0] + step[0], ahead[1] + step[1])
    if ahead not in floor:
        return None
    if ahead not in boxes:
        return boxes, ahead, 0
    if beyond not in floor or beyond in boxes:
        return None
    return boxes - {ahead} | {beyond}, ahead, 1


def fewest(rows, count_pushes):
    """Return the fewest pushes (or moves) that solve the board, None if nothing does: 0-1 breadth-first search."""
    floor, goals, boxes, player = parsed(rows)
    queue, seen = deque([(0, boxes, player)]), set()
    while queue:
        cost, boxes, player = queue.popleft()
        if (boxes, player) in seen:
            continue
        seen.add((boxes, player))
        if boxes == goals:
            return cost
        for step in STEPS.values():
            found = after(floor, boxes, player, step)
            if found is None:
                continue
            weight = found[2] if count_pushes else 1
            (queue.append if weight else queue.appendleft)((cost + weight, found[0], found[1]))
    return None


def count_fewest(rows):
    """Return in how many ways the fewest moves solve the board, 0 if nothing does: counting layer by layer."""
    floor, goals, boxes, player = parsed(rows)
    ways, seen = {(boxes, player): 1}, set()
    while ways:
        solved = sum(count for (boxes, _), count in ways.items() if boxes == goals)
        if solved:
            return solved
        seen |= ways.keys()
        following = {}
        for (boxes, player), count in ways.items():
            for step in STEPS.values():
                found = after(floor, boxes, player, step)
                if found is not None and found[:2] not in seen:
                    following[found[:2]] = following.get(found[:2], 0) + count
        ways = following
    return 0
