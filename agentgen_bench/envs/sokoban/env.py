"""SokobanEnv: Gymnasium's protocol around levels, rules and text."""

from collections.abc import Sequence
from typing import ClassVar

import gymnasium as gym

from agentgen_bench.checks import checked_action, checked_text, chosen
from agentgen_bench.contract import Analysis, Info
from agentgen_bench.envs.base import PARAPHRASES, Outcome, TextEnv, checked_range
from agentgen_bench.envs.sokoban import FAMILY
from agentgen_bench.envs.sokoban.bitboards import DIRECTIONS
from agentgen_bench.envs.sokoban.boxoban import check_playable, read_starts, solved_level
from agentgen_bench.envs.sokoban.levels import check_possible, generate, generated_level
from agentgen_bench.envs.sokoban.moves import count_shortest_plans, shortest_plan
from agentgen_bench.envs.sokoban.play import BUDGET_FACTOR, REWARDS, Play
from agentgen_bench.envs.sokoban.rules import USUAL, Level, moved, neighbours
from agentgen_bench.envs.sokoban.settings import Bounds, level_settings
from agentgen_bench.envs.sokoban.solver import push_distances
from agentgen_bench.envs.sokoban.text import VOCABULARIES
from agentgen_bench.envs.sokoban.variants import (
    RULES,
    check_searchable,
    count_plans,
    level_under,
    rule_of,
    table_of,
)
from agentgen_bench.errors import SpecError
from agentgen_bench.text import Richness, Section

MAX_STEPS = 10_000
LEVELS_WANTED = "a file of boards, or a folder of .txt files"
SLACK = 4  # under a hidden rule, one step in so many of the optimum is allowed beyond it


class SokobanEnv(TextEnv):
    """Push every box onto a target, in a room of proven difficulty.

    Description:
        Sokoban in a square room of 6 to 10 cells with 1 to 6 boxes. Levels are generated, and each one's fewest pushes
        and fewest moves are proven by exhaustive search. A level of `pushes=20` needs exactly 20. A box pushed into
        the wrong place may make the level unsolvable; nothing says so during play.

    Observation:
        Text. `lean` is the board alone, `base` adds the goal, a legend, the number of boxes on targets and the actions,
        `rich` adds the rules, the board with coordinates, what lies around the player, boxes and targets, the offsets
        from boxes to targets, and what each action would do now. Coordinates are (row, column) from (0, 0) at the top
        left. `board` chooses how the board is written: `symbols` (`#` wall, `_` floor, `O` target, `X` box, `√` box on
        target, `P` player, `S` player on target), `xsb` (`#`, space, `.`, `$`, `*`, `@`, `+`) or `coords` (a line per
        thing, such as `Wall at (0, 0)`, row by row).

    Actions:
        `up`, `down`, `left`, `right`; also `u`, `d`, `l`, `r` and `1` to `4`, in this order, read as
        in every family (`read_action`): without regard to case, white space around and a full stop at the end.
        An action that changes nothing (no such word, a wall or a stuck box in the way) is invalid and uses up a step.
        `CompoundActions` (compound.py) takes several at once: `Right || Right || Up`.

    Reward:
        `gym-sokoban`: -0.1 a step, +1 for a box pushed onto a target, -1 for one pushed off, +10 for solving.
        `sparse`: 1 for solving, else 0.
        With `gym-sokoban` the return is not the score: at success the rewards sum to about 10 (6.7 to 11.3 over the
        oracle's episodes on 90 test levels, easy to hard), where the score is 1.

    Episode end:
        Terminated when every box stands on a target, truncated after `max_steps` steps.

    Info:
        The keys of TextEnv. `score` is the fraction of boxes on targets. `admissible_commands` are those of the four
        directions that would change something.

    Knobs:
        difficulty: easy (6x6, 2 boxes, 5 pushes), medium (8x8, 2, 10), hard (10x10, 4, 20), extreme (10x10, 4, 30),
            paper (6x6, 1 box, 2 to 6 pushes). Every knob below that is given takes the place of the difficulty's.
        split: train, valid or test; they share no room, not even mirrored, rotated or shifted.
        size: 6 to 10 cells along an edge, walls included.
        boxes: 1 to 6.
        pushes: the fewest pushes that solve the level: an integer, or (low, high) inclusive.
        moves: the fewest moves that solve it, likewise; any number by default.
        walk_steps: length of the random walk that carves the room; 1.7 * 2 * size by default.
        max_steps: steps until truncation; three times the fewest moves by default, so that every level can be solved.
        reward: gym-sokoban or sparse.
        board: symbols, xsb or coords.
        levels: a text file of levels in Boxoban's format, or a folder of such; level n is the n-th, counted round.
            `difficulty` and `split` then decide nothing, and the knobs of generated levels are refused, and so is a
            level that is solved at the start or has no solution.
        paraphrase: 0, the task in its own words; any other number, a wording that it and the level choose.
        fact: none, or rule: boxes move by another rule than the usual one, which no text says (variants.py has them).
            The settings describe room and start under the usual rule; the optima are solved under the other, for at
            most 2 boxes and size 8. `max_steps` is by default a quarter more than the fewest moves, which leaves little
            room for trying. In a pack the rule is the pack's (docs/lifecycle.md).

    Version history:
        v0: first version.
    """

    family: ClassVar[str] = "Sokoban"
    difficulties: ClassVar[tuple[str, ...]] = FAMILY.difficulties
    action_templates: ClassVar[tuple[str, ...]] = DIRECTIONS
    fact_kinds: ClassVar[tuple[str, ...]] = ("none", "rule")

    def __init__(
        self,
        *,
        richness: str | Richness = "base",
        difficulty: str = "easy",
        split: str = "train",
        size: int | None = None,
        boxes: int | None = None,
        pushes: int | Bounds | None = None,
        moves: int | Bounds | None = None,
        walk_steps: int | None = None,
        max_steps: int | None = None,
        reward: str = "gym-sokoban",
        board: str = "symbols",
        levels: str | None = None,
        paraphrase: int = 0,
        fact: str = "none",
        render_mode: str | None = None,
    ) -> None:
        """Check the knobs, and that a level satisfies them; the class docstring says what each one is."""
        super().__init__(richness=richness, difficulty=difficulty, split=split, render_mode=render_mode, fact=fact)
        self._settings = level_settings(difficulty, size, boxes, pushes, moves, walk_steps)
        self._reward = chosen("reward", reward, tuple(REWARDS))
        self._board = chosen("board", board, tuple(VOCABULARIES))
        self._max_steps = None if max_steps is None else checked_range("max_steps", max_steps, 1, MAX_STEPS)
        self._paraphrase = checked_range("paraphrase", paraphrase, 0, PARAPHRASES - 1)
        self._starts = None
        if levels is not None:
            levels = checked_text("levels", levels, LEVELS_WANTED)
            if not levels:  # as a path it would be the folder where one happens to be
                raise SpecError(f"levels='' names nothing; give {LEVELS_WANTED}")
        if fact != "none":
            if levels is not None or paraphrase:
                raise SpecError(
                    f"fact={fact!r} is for generated levels in their own words, got levels={levels!r} and "
                    f"paraphrase={paraphrase}; leave them out"
                )
            check_searchable(self._settings)
        if levels is None:
            check_possible(self._settings, split)
        elif any(knob is not None for knob in (size, boxes, pushes, moves, walk_steps)):
            raise SpecError(
                f"levels={levels!r} brings its own levels; leave out size, boxes, pushes, moves, walk_steps"
            )
        else:
            self._starts = read_starts(levels)
            check_playable(tuple(self._starts))
        self._play: Play | None = None

    @property
    def levels_are_listed(self) -> bool:
        """Whether they come from a file."""
        return self._starts is not None

    def level(self, level_seed: int) -> Level:
        """Return level `level_seed` with its optima: what `reset(seed=level_seed)` plays."""
        return self._level_under(level_seed, self.own_fact_seed(level_seed))

    def _level_under(self, level_seed: int, fact_seed: int | None) -> Level:
        if fact_seed is not None:
            return level_under(rule_of(fact_seed), self._settings, self.split, level_seed)
        if self._starts is None:
            return generated_level(self._settings, self.split, level_seed)
        return solved_level(self._starts[level_seed % len(self._starts)])

    def levels_of(self, level_seeds: Sequence[int]) -> list[Level]:
        """Return the levels of several seeds, which is faster than one after the other."""
        if self._starts is None and self.fact == "none":
            return generate(self._settings, self.split, level_seeds)
        return [self.level(level_seed) for level_seed in level_seeds]

    def new_play(self, level: Level) -> Play:
        """Return the level at its start, in this environment's words, richness and reward."""
        return Play(level, self._board, self.richness, self._reward, self._paraphrase)

    def step_limit(self, level: Level) -> int:
        """Return the steps after which an episode of the level is truncated."""
        if self.fact != "none":
            return self._max_steps or level.optimal_moves + max(1, level.optimal_moves // SLACK)
        return self._max_steps or BUDGET_FACTOR * level.optimal_moves

    @property
    def expert_length(self) -> int | None:
        """The level's fewest moves."""
        return self._playing.level.optimal_moves

    def expert_action(self) -> str:
        """Return the first move of a shortest solution from here.

        In a dead state, from which no solution is left, and in a solved one, it is the first admissible command.
        """
        position = self._playing.position
        state = position.boxes, position.player
        if state not in self._expert and not self._is_dead:
            self._learn_plan(*state)
        direction = self._expert.get(state)
        return position.commands[0] if direction is None else DIRECTIONS[direction]

    def count_best_solutions(self) -> int:
        """Return how many solutions of the level are as short as the shortest."""
        level = self._playing.level
        if level.rule != USUAL:
            return count_plans(level)
        return count_shortest_plans(level.floor, level.goals, level.boxes, level.player)

    def analysis(self) -> Analysis:
        """Return how the episode compares with the optimum, worked out now.

        Keys: `optimal_moves`, `optimal_pushes` of the level; `pushes` made; `first_fatal_push`, the number of the step
        (from 1) whose push left no solution, None if there was none; `regret_moves`, the steps used beyond the
        optimum when the rest is played optimally, and `regret_pushes` likewise, both None after a fatal push.
        """
        play = self._playing
        states = [(position.boxes, position.player) for position in play.history]
        pushes = [i for i in range(1, len(states)) if states[i][0] != states[i - 1][0]]
        level = play.level
        left: int | None = level.optimal_pushes
        fatal: list[int] = []
        if pushes:
            left, *distances = _pushes_left(level, [states[-1], *(states[i] for i in pushes)])
            fatal = [step for step, distance in zip(pushes, distances, strict=True) if distance is None]
        moves = None if left is None else _moves_left(level, states[-1])
        return {
            "optimal_moves": level.optimal_moves,
            "optimal_pushes": level.optimal_pushes,
            "pushes": len(pushes),
            "first_fatal_push": fatal[0] if fatal else None,
            "regret_moves": None if moves is None else self._elapsed + moves - level.optimal_moves,
            "regret_pushes": None if left is None else len(pushes) + left - level.optimal_pushes,
        }

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:  # type: ignore[override]
        """Execute one action; every action, valid or not, uses up a step.

        Returns what TextEnv.step does, with the remembered text of the position instead of text rendered anew.
        """
        play = self._play
        if play is None or not self._is_started:
            raise gym.error.ResetNeeded("no level is being played; call reset first")
        if type(action) is not str:
            action = checked_action(action)
        self._elapsed += 1
        reward, success, is_action_valid = play.act(action)
        position = play.position
        self._observation = position.observation
        self.success, self.score = success, position.score
        info: Info = {
            "sections": position.sections,
            "admissible_commands": position.commands,
            "task": self.task,
            "success": success,
            "score": position.score,
            "is_action_valid": is_action_valid,
            "level_id": self.level_id,
        }
        return position.observation, reward, success, not success and self._elapsed >= self.max_steps, info

    def _start(self, level_seed: int) -> None:
        level = self._level_under(level_seed, self.fact_seed)
        if self._play is None or self._play.level != level:
            self._play = self.new_play(level)
            self._expert: dict[tuple[int, int], int] = {}
        self._play.restart()
        self._is_dead = False
        self.task: str = self._play.text.task
        self.level_id: str = level.level_id
        self.success, self.score = False, self._play.position.score
        self.max_steps: int = self.step_limit(level)

    @property
    def _playing(self) -> Play:
        if self._play is None:
            raise gym.error.ResetNeeded("no level is being played; call reset first")
        return self._play

    def _apply(self, action: str) -> Outcome:
        outcome = self._playing.act(action)
        self.success, self.score = self._playing.position.success, self._playing.position.score
        return outcome

    def _sections(self) -> tuple[Section, ...]:
        return self._playing.position.sections

    def _admissible_commands(self) -> tuple[str, ...]:
        return self._playing.position.commands

    def _learn_plan(self, boxes: int, player: int) -> None:
        """Remember the move of every state along a shortest solution from here, or that there is none."""
        level = self._playing.level
        if level.rule != USUAL:
            self._learn_step(level, boxes, player)
            return
        plan = shortest_plan(level.floor, level.goals, boxes, player)
        self._is_dead = plan is None
        for direction in plan or ():
            self._expert[boxes, player] = direction
            after = moved(level.floor, boxes, player, direction)
            if after is None:
                raise RuntimeError("the solver planned an impossible move; this is a defect of the solver")
            boxes, player = after.boxes, after.player

    def _learn_step(self, level: Level, boxes: int, player: int) -> None:
        """Remember the first move of a shortest solution under the level's rule, or that there is none."""
        left = table_of(level.rule, level.floor, level.goals, level.boxes, level.player).moves
        self._is_dead = (boxes, player) not in left
        step, around = RULES[level.rule].step, neighbours(level.floor)
        for direction in range(len(DIRECTIONS)):
            after = step(around, boxes, player, direction)
            if not self._is_dead and after is not None and left.get(after, MAX_STEPS) < left[boxes, player]:
                self._expert[boxes, player] = direction
                return

    def fact_value(self) -> str:
        """Return the rule in words."""
        return "" if self.fact_seed is None else RULES[rule_of(self.fact_seed)].text


def _pushes_left(level: Level, states: list[tuple[int, int]]) -> list[int | None]:
    """Return the fewest pushes that solve each state of an episode; None for a dead one."""
    if level.rule == USUAL:
        return push_distances(level.floor, level.goals, states)
    pushes = table_of(level.rule, level.floor, level.goals, level.boxes, level.player).pushes
    return [pushes.get(state) for state in states]


def _moves_left(level: Level, state: tuple[int, int]) -> int | None:
    """Return the fewest moves that solve a state of an episode; None for a dead one."""
    if state == (level.boxes, level.player):
        return level.optimal_moves
    if level.rule == USUAL:
        plan = shortest_plan(level.floor, level.goals, *state)
        return None if plan is None else len(plan)
    return table_of(level.rule, level.floor, level.goals, level.boxes, level.player).moves.get(state)
