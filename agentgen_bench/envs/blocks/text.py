"""All that the agent reads. Lean is the state and the goal; base says what to do; rich counts and lists."""

from agentgen_bench.envs.blocks.rules import TABLE, Arrangement, Move, clear_blocks, moved, moves, towers
from agentgen_bench.text import Command, Listing, Richness, Section

COLOURS = ("red", "blue", "green", "yellow", "white", "black")  # of the blocks, by number
HOW_TO = (
    "Each line is a tower with its blocks from bottom to top. Only a block that nothing lies on can be moved, onto "
    "another such block or onto the table, where there is room for all.\n\n"
)
TEMPLATES = ("stack <block> on <block>", "lower <block>")


def task(goal: Arrangement) -> str:
    """Return the goal in words."""
    return f"Build these towers, from bottom to top: {'; '.join(_lines(goal))}."


def command(move: Move) -> str:
    """Return the action of a move, such as `stack red on blue`, or `lower red` onto the table."""
    return "".join(_command(move))


def _command(move: Move) -> Command:
    block = COLOURS[move.block]
    if move.target == TABLE:
        return Command("lower", f" {block}")
    return Command("stack", f" {block} on {COLOURS[move.target]}")


def sections(blocks: Arrangement, goal: Arrangement, feedback: str) -> tuple[Section, ...]:
    """Return the observation of a state in all richnesses; `feedback` tells what came of the last action, or is ""."""
    actions = Listing((Command("stack", " BLOCK on BLOCK"), Command("lower", " BLOCK")))
    return (
        Section(f"{task(goal)} {HOW_TO}", Richness.BASE, "task"),
        Section("".join(f"{line}\n" for line in _lines(blocks)), Richness.LEAN, "state"),
        Section(f"Goal: {'; '.join(_lines(goal))}\n", Richness.LEAN, "task"),
        *([Section(f"{feedback}\n", Richness.LEAN, "history")] if feedback else []),
        Section(("\nActions: ", actions, ".\n"), Richness.BASE, "hint"),
        Section(_places(blocks, goal), Richness.RICH, "state"),
        Section(_effects(blocks), Richness.RICH, "hint"),
    )


def why_not(blocks: Arrangement, move: Move) -> str:
    """Return why the rules forbid a move."""
    free, block = clear_blocks(blocks), COLOURS[move.block]
    if move.block not in free:
        return f"Nothing happens: a block lies on {block}."
    if blocks[move.block] == move.target:
        return f"Nothing happens: {block} is there already."
    if move.block == move.target:
        return "Nothing happens: no block lies on itself."
    return f"Nothing happens: a block lies on {COLOURS[move.target]}."


def _lines(blocks: Arrangement) -> list[str]:
    """Return each tower from bottom to top, such as `red, blue`."""
    return [", ".join(COLOURS[block] for block in tower) for tower in towers(blocks)]


def _place(below: int) -> str:
    return "the table" if below == TABLE else COLOURS[below]


def _places(blocks: Arrangement, goal: Arrangement) -> str:
    free, lines = clear_blocks(blocks), []
    for block, (at, wanted) in enumerate(zip(blocks, goal, strict=True)):
        place = "as the goal says" if at == wanted else f"the goal has it on {_place(wanted)}"
        above = "nothing lies on it" if block in free else f"{COLOURS[blocks.index(block)]} lies on it"
        lines.append(f"The {COLOURS[block]} block is on {_place(at)}, {place}; {above}.\n")
    return "\n" + "".join(lines)


def _effects(blocks: Arrangement) -> tuple[str, ...]:
    spans: list[str] = ["\nWhat each possible move would do now:"]
    for move in moves(blocks):
        after = moved(blocks, move) or blocks
        tower = next(line for line in _lines(after) if line.split(", ")[-1] == COLOURS[move.block])
        spans += ["\n- ", _command(move), f": then there is the tower {tower}"]
    return (*spans, "\n")
