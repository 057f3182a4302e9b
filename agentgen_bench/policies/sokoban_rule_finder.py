"""A Sokoban player that finds out how boxes move: it plans under a rule until a move contradicts it.

It knows which rules there may be, and begins with the one its note names, else with the usual one. What it found out
goes into its note. With the fact told it reads that instead.
"""

from collections.abc import Sequence

from agentgen_bench.envs.sokoban.bitboards import DIRECTIONS
from agentgen_bench.envs.sokoban.boxoban import Start
from agentgen_bench.envs.sokoban.play import direction_of
from agentgen_bench.envs.sokoban.rules import USUAL, neighbours
from agentgen_bench.envs.sokoban.text import UNSAID
from agentgen_bench.envs.sokoban.variants import RULES, plan_under
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.policies.pack_frames import frame_of
from agentgen_bench.policies.sokoban_planner import board_of
from agentgen_bench.prompts import History


class SokobanRuleFinder:
    """Plays a shortest solution under the first rule that nothing seen contradicts."""

    name = "sokoban-rule-finder"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its observations alone."""
        return [_decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def _decide(history: History) -> Decision:
    if history.family != "Sokoban":
        return NO_ANSWER
    frame = frame_of(history)
    known = next((rule for rule in RULES if RULES[rule].text in frame.known), None)
    boards = [board_of(turn.observation) for turn in frame.alone.turns]
    board = board_of(frame.alone.observation)
    left = _left(known, [*boards, board], [turn.action for turn in frame.alone.turns])
    if frame.is_writing:
        is_new = UNSAID in frame.alone.observation and left[:1] not in ([], [USUAL])
        return frame.written(RULES[left[0]].text if is_new else frame.known)
    for rule in left if board is not None and UNSAID in frame.alone.observation else [USUAL]:
        plan = None if board is None else plan_under(rule, board.floor, board.goals, board.boxes, board.player)
        if plan:
            return answer(f"I take it that {RULES[rule].text}.", DIRECTIONS[plan[0]])
    return NO_ANSWER


def _left(known: str | None, boards: Sequence[Start | None], actions: Sequence[str | None]) -> list[str]:
    """Return the rules that no move contradicts, the known one first, then the usual one."""
    rules = sorted(RULES, key=lambda rule: (rule != known, rule != USUAL))
    return [rule for rule in rules if all(map(_agrees, [rule] * len(actions), boards, boards[1:], actions))]


def _agrees(rule: str, before: Start | None, after: Start | None, action: str | None) -> bool:
    """Return whether a move under the rule leads from the one board to the other."""
    direction = None if action is None else direction_of(action)
    if before is None or after is None or direction is None:
        return True
    expected = RULES[rule].step(neighbours(before.floor), before.boxes, before.player, direction)
    return (expected or (before.boxes, before.player)) == (after.boxes, after.player)
