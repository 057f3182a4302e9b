"""A Sokoban player for hidden names of the moves: it tries words, and writes down where each has led.

It plans on the board as the planner does, and begins its thoughts like it: a clone of the planner can go on with what
it knows. The word for a move comes from its context, from what it has tried in this
task, or is tried: the first listed one that it knows nothing of. Prompts have to list the words (`--action-hints
templates`). Contexts and thoughts hold pairs such as `up quib`, short and always the same, for small models to copy:
to find a move's word is to go on as the same word went on before.
"""

import re
from collections.abc import Mapping, Sequence

from agentgen_bench.envs.sokoban.bitboards import DIRECTIONS
from agentgen_bench.envs.sokoban.boxoban import Start
from agentgen_bench.envs.sokoban.moves import shortest_plan
from agentgen_bench.envs.sokoban.rules import neighbour
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.policies.pack_frames import Frame, frame_of
from agentgen_bench.policies.sokoban_planner import board_of, thought
from agentgen_bench.prompts import History, Turn

Words = dict[str, str]  # direction -> the word for it

_PAIR = re.compile(rf"\b({'|'.join(DIRECTIONS)}) (\w+)")
UNKNOWN = "?"
LOST = "lost"


class SokobanWordFinder:
    """Walks a shortest solution in the words that it knows, and tries a new one where it lacks a word."""

    name = "sokoban-word-finder"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its observations alone."""
        return [_decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def words_text(words: Mapping[str, str]) -> str:
    """Return the words of directions as a context holds them.

    Examples:
        >>> words_text({"left": "blick", "up": "quib"})
        'up quib;left blick'
    """
    return ";".join([f"{direction} {words[direction]}" for direction in DIRECTIONS if direction in words])


def _decide(history: History) -> Decision:
    if history.family != "Sokoban":
        return NO_ANSWER
    frame = frame_of(history)
    known: Words = dict(_PAIR.findall(frame.known))
    if frame.is_writing:
        return frame.written(words_text({**known, **_tried(frame.alone)}))
    return _move(frame, known)


def _move(frame: Frame, known: Words) -> Decision:
    """Return the next move of a shortest solution, or one that teaches a word."""
    board, listed = board_of(frame.alone.observation), frame.alone.action_templates
    if board is None or not listed:
        return NO_ANSWER
    before = {**known, **_tried(frame.alone, but=1)}
    words = {**before, **_tried(frame.alone)}
    found = {direction: word for direction, word in words.items() if before.get(direction) != word}
    said = f"{words_text(found)};" if found else ""
    plan = shortest_plan(board.floor, board.goals, board.boxes, board.player)
    if not plan:
        return answer(f"{said}{LOST}", _new_word(frame.alone, words, board) or listed[0])
    direction, planned = DIRECTIONS[plan[0]], thought(board, plan)
    word = words.get(direction, "")
    if word in listed:
        return answer(f"{planned}\n{said}{direction} {word}", word)
    return answer(f"{planned}\n{said}{direction} {UNKNOWN}", _new_word(frame.alone, words, board) or listed[0])


def _new_word(alone: History, words: Words, board: Start) -> str | None:
    """Return the first listed word that nothing is known of and that did not fail on this very board."""
    failed = {turn.action for turn in alone.turns if board_of(turn.observation) == board}
    return next((word for word in alone.action_templates if word not in words.values() and word not in failed), None)


def _tried(alone: History, but: int = 0) -> Words:
    """Return the words whose move was seen in a task, without its last `but` steps."""
    turns = alone.turns[: len(alone.turns) - but]
    after = [turn.observation for turn in alone.turns[1:]] + [alone.observation]
    moves = [_moved(turn, seen) for turn, seen in zip(turns, after, strict=False)]
    return {move[0]: move[1] for move in moves if move is not None}


def _moved(turn: Turn, after: str) -> tuple[str, str] | None:
    """Return in which direction an action led, and the action; None where the player stayed, or there was none."""
    start, end = board_of(turn.observation), board_of(after)
    if start is None or end is None or not turn.action:
        return None
    for number, direction in enumerate(DIRECTIONS):
        if neighbour(start.player, number) == end.player:
            return direction, turn.action
    return None
