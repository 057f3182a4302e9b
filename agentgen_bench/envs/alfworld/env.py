"""ALFWorldEnv: Gymnasium's protocol around levels, engine or official backend, and text."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from agentgen_bench.checks import checked_flag, chosen
from agentgen_bench.contract import Analysis
from agentgen_bench.envs.alfworld import FAMILY, datasets, levels, settings, text
from agentgen_bench.envs.alfworld import friendly as friendlier
from agentgen_bench.envs.alfworld.engine import Answer, Engine
from agentgen_bench.envs.alfworld.generator import candidates_of, check_possible
from agentgen_bench.envs.alfworld.house import house_of
from agentgen_bench.envs.alfworld.memory import Memory
from agentgen_bench.envs.alfworld.official import OfficialGame
from agentgen_bench.envs.alfworld.paraphrases import FORMS
from agentgen_bench.envs.alfworld.planner import shortest_plan
from agentgen_bench.envs.base import PARAPHRASES, Outcome, TextEnv, checked_range, read_action
from agentgen_bench.envs.paraphrasing import paraphrased
from agentgen_bench.errors import SpecError
from agentgen_bench.text import Richness, Section

STEP_LIMIT = 50
BACKENDS = ("engine", "textworld")
HOUSE_BUDGET = 2  # under a house, steps allowed per step of a shortest plan: whoever has to search runs out
IDLE = "look"  # what the oracle does where no plan is left
_INVALID = Outcome(0.0, False, False)


class ALFWorldEnv(TextEnv):
    """Household tasks in text (Shridhar et al. 2021, arXiv:2010.03768), on scenes generated here.

    Description:
        The agent stands in a kitchen, living room, bedroom or bathroom and must bring, clean, heat, cool, slice or
        light up objects that it first has to find. Rules and words are those of the official game, byte for byte;
        rooms and levels are ours, drawn from a catalogue, solvable by construction.

    Observation:
        base: the official text: a greeting, the room's receptacles and the task at first, then the feedback of each
        command. lean: without greeting and task. rich: base, then the task again, what the agent carries, the
        contents of what it has looked into, the places it has not visited, the commands it can give, the steps left;
        never anything it has not seen.

    Actions:
        look, inventory, help, go to X, open X, close X, examine X, take X from Y, move X to Y, use X, heat X with Y,
        clean X with Y, cool X with Y, slice X with Y. Anything else does nothing ("Nothing happens."). Read as in
        every family (`read_action`): without regard to case, runs of white space and a full stop at the end.

    Reward:
        1 when the task is achieved, else 0.

    Episode end:
        Terminated when the task is achieved; truncated after `max_steps` (50).

    Info:
        As in TextEnv. `admissible_commands` are the official ones, sorted. `score` is the share of goal conditions met
        by the best choice of objects (each required state, and lying in the destination; for the look task: holding
        the object, and standing at the lit lamp), as goal-condition success in ALFRED (arXiv:1912.01734).

    Knobs:
        difficulty: easy, medium, hard: 0-8, 9-15, 16-25 expected steps of the reference searcher (searcher.py).
        split: train; valid; test_seen (rooms of train, new levels); test (unseen rooms); ood_pairs (pairs of object
        and destination that no other split has); ood_task (the slice tasks).
        task_type: "all", or one or several of the names in tasks.TASK_TYPES that the split has: those that end in
        `_slice` are ood_task's alone, and it has no others.
        n_receptacles (5 to 34; other rooms than kitchens have 24 at most), p_hidden (chance that an object lies in
        something closed), n_instances (of the target type), n_targets (1, 2 or 3 objects to bring): None leaves them to
        the difficulty.
        colocated: some receptacles share a stand point, as in the real rooms.
        friendly: take the verbs of both releases and say why a command did nothing.
        data: a folder with the official games (`json_2.1.1/`), whose splits are then train, valid_seen and
        valid_unseen; the latter two are also found by `$ALFWORLD_DATA`. Seeds 0 to n-1 play each of n games once.
        Or a game file (`*.tw-pddl`, `.gz` too), or a list of them: level n is the n-th, counted round. `split` is one
        of the official three; a game from another split's folder is refused.
        backend: "engine" (ours), or "textworld", the official stack in a process of its own, on the same levels.
        paraphrase: 0, the task in its own words; any other number, a wording that it and the level choose. A task in
        free wording stays as it is.
        fact: none, or house: levels of one house share two rooms, in which each kind of object has its usual place
        (house.py); the step limit is then twice the shortest plan, so that searching costs the task. In a pack the
        house is the pack's (docs/lifecycle.md). The official games have none.
        max_steps: the step limit, at most.

    Version history:
        v0: first version.
    """

    family: ClassVar[str] = "ALFWorld"
    splits: ClassVar[tuple[str, ...]] = settings.SPLITS
    difficulties: ClassVar[tuple[str, ...]] = FAMILY.difficulties
    fact_kinds: ClassVar[tuple[str, ...]] = ("none", "house")
    action_templates: ClassVar[tuple[str, ...]] = (
        "look",
        "inventory",
        "go to <receptacle>",
        "open <receptacle>",
        "close <receptacle>",
        "examine <receptacle or object>",
        "take <object> from <receptacle>",
        "move <object> to <receptacle>",
        "use <lamp>",
        "heat <object> with <microwave>",
        "clean <object> with <sinkbasin>",
        "cool <object> with <fridge>",
        "slice <object> with <knife>",
        "help",
    )

    def __init__(
        self,
        *,
        richness: str | Richness = "base",
        difficulty: str = "easy",
        split: str = "train",
        task_type: str | tuple[str, ...] = "all",
        n_receptacles: int | None = None,
        p_hidden: float | None = None,
        n_instances: int | None = None,
        n_targets: int | None = None,
        colocated: bool = False,
        friendly: bool = False,
        backend: str = "engine",
        data: str | Sequence[str] | None = None,
        paraphrase: int = 0,
        max_steps: int = STEP_LIMIT,
        fact: str = "none",
        render_mode: str | None = None,
    ) -> None:
        """Check all settings; raises SpecError naming the one that is wrong, DataError for data that is not there."""
        is_official = data is not None or split in datasets.OFFICIAL_SPLITS[1:]
        own_split = "train" if is_official else split
        super().__init__(richness=richness, difficulty=difficulty, split=own_split, render_mode=render_mode, fact=fact)
        chosen("backend", backend, BACKENDS)
        self.max_steps = self._step_limit = checked_range("max_steps", max_steps, 1, 100_000)
        self.friendly: bool = checked_flag("friendly", friendly)
        self._paraphrase = checked_range("paraphrase", paraphrase, 0, PARAPHRASES - 1)
        self.backend = backend
        types = settings.task_types(task_type, split)
        self._settings = settings.level_settings(
            difficulty, own_split, types, n_receptacles, p_hidden, n_instances, n_targets, colocated
        )
        if not is_official and fact == "none":
            check_possible(self._settings)
        elif not is_official:  # a house plays the task that is nearest to the difficulty
            candidates_of(self._settings)
        self._games: tuple[Path, ...] = ()
        self._is_named = False  # are the games files that `data` names
        if is_official:
            if fact != "none":
                raise SpecError(f"the official games are in houses of their own, got fact={fact!r}; choose 'none'")
            self.split = split
            data = None if data is None else datasets.checked_data(data)
            named = None if data is None else datasets.named_games(data)
            self._is_named = named is not None
            self._games = _official_games(None if named else data, split, self._settings, named)
            for path in named or ():
                levels.official_level(
                    path, any_rules=backend == "textworld"
                )  # a game that is none is met here, not in play
        self._official = OfficialGame() if backend == "textworld" else None

    @property
    def levels_are_listed(self) -> bool:
        """Whether they are game files."""
        return bool(self._games)

    def _start(self, level_seed: int) -> None:
        level = self._level = self._level_of(level_seed)
        if self.fact != "none" and level.plan is not None:
            self.max_steps = min(self._step_limit, HOUSE_BUDGET * len(level.plan))
        self.level_id = f"alfworld:{level.digest}"
        self.task: str = paraphrased(FORMS, level.task, self._paraphrase, "alfworld", self.level_id)
        self._engine = Engine(level.scene) if level.scene is not None else None
        room = self._engine.intro() if self._engine is not None else ""
        if self._official is not None:
            first = self._official.load(levels.game_data(level))
            room = text.room_of(first, level.task)
        self._plan = list(level.plan) if level.plan is not None else None
        self.success: bool = False
        self.score: float = self._engine.progress if self._engine is not None else 0.0
        self._said, self._is_first = room, True
        self._memory = Memory()
        self._memory.begin(room)
        self._admissible: tuple[str, ...] | None = None

    def _level_of(self, seed: int) -> levels.Level:
        if self.fact_seed is not None:
            return levels.level_in_house(self._settings, self.fact_seed, seed)
        if not self._games:
            return levels.generated_level(self._settings, seed)
        if self._is_named:
            path = self._games[seed % len(self._games)]
        else:
            path = datasets.game_of_seed(self._games, self.split, seed)
        return levels.official_level(path, any_rules=self._official is not None)

    def _apply(self, action: str) -> Outcome:
        command = self._read(action)
        if self.friendly and self._engine is not None:
            command = friendlier.translated(self._engine.scene.dialect, command)
        answer = self._answer(command)
        self._admissible = None
        self._said, self._is_first = answer.feedback, False
        if not answer.is_valid:
            return _INVALID
        if self.richness is Richness.RICH:
            self._memory.observe(command, answer.feedback)
        if self._plan is not None:
            self._plan = self._plan[1:] if self._plan[:1] == [command] else None
        self._judge()
        return Outcome(float(self.success), self.success, True)

    def _read(self, action: str) -> str:
        """Return the command an action is: itself where the rules know it so, else as `read_action` says."""
        engine = self._engine
        if engine is not None:
            return action if action in engine.scene.commands or engine.parse(action)[0] else read_action(action)
        return action if action in self._admissible_commands() else read_action(action)

    def _answer(self, command: str) -> Answer:
        """Return the backend's answer; the engine goes along with the official stack, for score and oracle."""
        if self._engine is None:
            return self._played().step(command)
        answer = self._engine.step(command)
        if self._official is not None:
            answer = self._official.step(command)
        if self.friendly and not answer.is_valid:
            return Answer(friendlier.explained(self._engine, command), False)
        return answer

    def _judge(self) -> None:
        engine = self._engine
        self.success = self._played().won if engine is None or self._official is not None else engine.won
        self.score = float(self.success) if engine is None else engine.progress

    def _played(self) -> Engine | OfficialGame:
        """Return the backend in use."""
        if self._official is not None:
            return self._official
        if self._engine is None:
            raise SpecError("the environment was not reset; call reset first")
        return self._engine

    def _sections(self) -> tuple[Section, ...]:
        seen = None
        if self.richness is Richness.RICH:
            seen = text.Seen(self._memory, self._admissible_commands(), max(0, self.max_steps - self._elapsed))
        return text.sections(self._said, self.task, self.richness, seen, is_first=self._is_first)

    def _admissible_commands(self) -> tuple[str, ...]:
        if self._admissible is None:  # worked out once a state: rich text lists them too
            self._admissible = self._played().admissible_commands()
        return self._admissible

    def expert_action(self) -> str:
        """Return the next command of a shortest plan from the current state.

        Where only the official stack knows the rules, its planner answers; on a full room that can take minutes.
        """
        if self._plan is None and self._engine is not None:
            self._plan = list(shortest_plan(self._engine) or ())
        elif self._plan is None and self._official is not None:
            self._plan = list(self._official.plan())
        return self._plan[0] if self._plan else IDLE

    @property
    def expert_length(self) -> int | None:
        """Length of a shortest plan from the level's start; None where the engine does not know the rules."""
        return len(self._level.plan) if self._level.plan is not None else None

    def names(self) -> frozenset[str]:
        """Return names and types of all receptacles and objects of the scene, seen or not.

        Where only the official stack knows the scene: those that the first observation lists.
        """
        scene = self._level.scene
        if scene is None:
            listed = self._memory.receptacles
            return frozenset((*listed, *(name.partition(" ")[0] for name in listed)))
        return frozenset((*scene.receptacle_names, *scene.object_names, *scene.receptacle_types, *scene.object_types))

    def analysis(self) -> Analysis:
        """Return the level's labels: expected search steps, plan length, how much is in the room; the file of a game.

        The file is given from `json_2.1.1` on where it lies below such a folder, else as its name alone.
        """
        labels: dict[str, float | int | str | None] = {
            "search_steps": self._level.search_steps,
            "plan_steps": self.expert_length,
        }
        scene = self._level.scene
        if scene is not None:
            labels["n_receptacles"] = len(scene.receptacle_names)
            labels["n_openable"] = sum(scene.openable)
            labels["n_objects"] = len(scene.object_names)
        if self._level.path is not None:
            labels["game"] = datasets.game_name(self._level.path)
        return labels

    def fact_value(self) -> str:
        """Return where things are in the house."""
        return "" if self.fact_seed is None else house_of(self._settings, self.fact_seed).text

    def close(self) -> None:
        """End the official stack's process, where there is one."""
        if self._official is not None:
            self._official.close()


def _official_games(
    data: str | Sequence[str] | None, split: str, own: settings.LevelSettings, named: tuple[Path, ...] | None
) -> tuple[Path, ...]:
    """Return the files of an official split; raises SpecError for settings that only generated levels have."""
    chosen("split of the official data", split, datasets.OFFICIAL_SPLITS)
    if own != settings.LevelSettings(difficulty=own.difficulty):
        raise SpecError(
            "task_type, n_receptacles, p_hidden, n_instances, n_targets and colocated shape generated levels; "
            "the official games are what they are"
        )
    if named is not None:
        datasets.check_split(named, split)
        return named
    return datasets.game_files(datasets.data_folder(data if isinstance(data, str) else None), split)
