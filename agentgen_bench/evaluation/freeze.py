"""Freezing suites: which settings each holds, and the levels their seeds give.

    python -m agentgen_bench.evaluation.freeze smoke core-v1

rewrites the files of the named suites. A released suite is never frozen again: a new version gets a new name.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from agentgen_bench.evaluation.plan import bare
from agentgen_bench.evaluation.protocol import protocol_text
from agentgen_bench.make import make
from agentgen_bench.scores.study import Condition
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Cell, load_suite, to_text

PACKS = 125  # of four tasks each
LEADERBOARD_LEVELS = 500  # half-width of a 95 % interval: 3.5 percentage points at a success rate of .2

RICHNESSES = ("lean", "base", "rich")
DIFFICULTIES = ("easy", "medium", "hard")
# What a frozen suite holds is written out: a family, version or preset that comes later is in none of them.
FAMILIES = ("Sokoban", "WebShop", "ALFWorld", "SciWorld")
PACK_PRESETS = ("pack-4", "pack-4-wiped")
# The fact of each family, at the difficulty at which it shows (benchmarks/facts.py).
FACTS = {
    "Sokoban": ("rule", "easy"),
    "WebShop": ("shelf", "hard"),
    "ALFWorld": ("house", "hard"),
    "SciWorld": ("substances", "easy"),
}
# Packs of solve and update episodes, and how many: 128 tasks a cell. Each has its twin without a context; one task
# again and again is paired with the different ones of the same number.
FACT_PACKS = {
    "cod-4": 32, "cod-4-wiped": 32, "cod-4-told": 32, "ralph-sample-4": 32,
    "cod-8": 16, "cod-8-wiped": 16, "cod-8-irrelevant": 16, "cod-8-irrelevant-wiped": 16, "cod-8-changing": 16,
    "cod-8-changing-wiped": 16, "cod-16": 8, "cod-16-wiped": 8,
}  # fmt: skip
SMOKE_LEVELS = {"ALFWorld": 10, "WebShop": 10, "SciWorld": 5}  # a SciWorld step costs a thousand times a Sokoban one

MINI_LEVELS = 50  # with three repeats 1,800 episodes
SMOKE_STUDY_LEVELS = 6
SMOKE_STUDY_PACKS = 3
STUDY_LEVELS = 250  # a study plays them with each of 16 to 37 policies
SMOKE_TRAINED = ("Sokoban", "ALFWorld")
MINI_STEPS = {"Sokoban": None, "ALFWorld": 15, "SciWorld": 15}  # None: the cell's own limit, which is short
UNSEEN = "Blocks"  # the world that nobody trains on

PAPER_LEVELS = 128  # episodes behind each number of arXiv 2601.18217, table 1

# A suite of the same name goes with each.
PROTOCOLS = (
    "transfer-smoke",
    "transfer-mini-v1",
    "transfer-mini-v2",
    "transfer-v1",
    "difficulty-v2",
    "sequence-v1",
    "lifecycle-transfer-v1",
    "lifecycle-smoke",
)

Definition = tuple[str, list[tuple[TaskSpec, int]]]


def definitions() -> dict[str, Definition]:
    """Return each suite's description and its cells as (setting, number of distinct levels)."""
    return {
        "smoke": (
            "A minute: a few easy levels of each family, to see that everything works",
            [
                *((_spec("Sokoban", "easy", richness), 10) for richness in RICHNESSES),
                *((_spec(family, "easy"), n_levels) for family, n_levels in SMOKE_LEVELS.items()),
            ],
        ),
        "core-v1": (
            "The leaderboard: four families at base richness, easy, medium and hard, on test levels",
            _full(_spec(family, difficulty) for family in FAMILIES for difficulty in DIFFICULTIES),
        ),
        "ood-v1": (
            "Shifts within a family: unseen pairs, tasks, product types, phrasings, board sizes, action words",
            _full(
                [
                    _spec("ALFWorld", "medium", split="ood_pairs"),
                    _spec("ALFWorld", "medium", split="ood_task"),
                    _spec("WebShop", "medium", split="ood_types"),
                    _spec("WebShop", "medium", split="ood_phrasing"),
                    _spec("Sokoban", "medium").with_(knobs=(("boxes", 3), ("pushes", 12), ("size", 9))),
                    *(_spec(family, "medium").with_(interface="opaque") for family in FAMILIES),
                ]
            ),
        ),
        "difficulty-v1": (
            "Every grade of difficulty, for training on one and playing the others",
            _full(
                [
                    *(_spec(family, difficulty) for family in FAMILIES for difficulty in DIFFICULTIES),
                    _spec("Sokoban", "extreme"),
                ]
            ),
        ),
        "richness-v1": (
            "The same medium levels as lean, base and rich text, and as base text with distractors",
            _full(
                spec
                for family in FAMILIES
                for spec in (
                    *(_spec(family, "medium", richness) for richness in RICHNESSES),
                    _spec(family, "medium").with_(distractors="paper-v1"),
                )
            ),
        ),
        "lifecycle-v1": (
            "Packs of four easy tasks that share made-up action words, with the agent's note kept and without",
            [
                (_spec(family, "easy").with_(interface="opaque", lifecycle=name), PACKS)
                for family in FAMILIES
                for name in PACK_PRESETS
            ],
        ),
        "lifecycle-v2": (
            "Packs of 4, 8 and 16 tasks that share a fact of the world, with a context written in episodes of its own, "
            "without one and told; one task again and again, an irrelevant task in between, a fact that changes",
            [(_with_fact(family, preset), n_packs) for family in FACTS for preset, n_packs in FACT_PACKS.items()],
        ),
        "paper-v1": (
            "Prompts as long as those of arXiv 2601.18217 (within 15 %), with two past steps and --action-hints full",
            [(spec, PAPER_LEVELS) for spec in paper_settings()],
        ),
        "core-mini-v1": (
            "The first 50 levels of each cell of core-v1: a model is on the board within an hour",
            [(_spec(family, difficulty), MINI_LEVELS) for family in FAMILIES for difficulty in DIFFICULTIES],
        ),
        "transfer-v1": (
            "Studies of transfer: four families from starter to hard, and a world that nobody trains on",
            _study_cells(("starter", "easy", "hard"), ("easy", "medium")),
        ),
        "transfer-mini-v1": (
            "Studies of transfer on two CPU cores: starter cells of transfer-v1 that small models solve, in few steps",
            [(spec, STUDY_LEVELS) for _, spec in mini_study_settings()],
        ),
        "transfer-mini-v2": (
            "Studies of transfer on two CPU cores: the cells of transfer-mini-v1 with twice its levels",
            [(spec, 2 * STUDY_LEVELS) for _, spec in mini_study_settings()],
        ),
        "difficulty-v2": (
            "Studies of difficulty: each family from starter to hard",
            _study_cells(("starter", *DIFFICULTIES), ()),
        ),
        "lifecycle-transfer-v1": (
            "Studies of training on packs: the fact of each family, with the context kept, without it, and one task "
            "again",
            [(spec, FACT_PACKS[str(spec.lifecycle)]) for _, spec in lifecycle_study_settings()],
        ),
        "lifecycle-smoke": (
            "A study of training on packs in minutes, to see that everything works",
            [(spec, SMOKE_STUDY_PACKS) for _, spec in lifecycle_smoke_settings()],
        ),
        "transfer-smoke": (
            "A study of transfer in minutes, to see that everything works",
            [(spec, SMOKE_STUDY_LEVELS) for _, spec in smoke_study_settings()],
        ),
        "sequence-v1": (
            "Studies of sequential training: four families from starter to hard, and a world that nobody trains on",
            _study_cells(("starter", "easy", "hard"), ("easy", "medium")),
        ),
    }


def starter_settings() -> dict[str, TaskSpec]:
    """Return the setting of each family that small models do not all fail at: the real family, as easy as it goes."""
    return {
        "Sokoban": _spec("Sokoban", "easy", "lean").with_(knobs=(("boxes", 1), ("pushes", [1, 3]), ("size", 6))),
        "WebShop": _spec("WebShop", "easy", "lean").with_(
            knobs=(("n_confusables", 0), ("phrasing", "plain"), ("price", "none"))
        ),
        "ALFWorld": _spec("ALFWorld", "easy", "lean"),
        "SciWorld": _spec("SciWorld", "easy", "lean"),
    }


def _study_cells(grades: Sequence[str], unseen: Sequence[str]) -> list[tuple[TaskSpec, int]]:
    return [(spec, STUDY_LEVELS) for _, spec in study_settings(grades, unseen)]


def study_settings(grades: Sequence[str], unseen: Sequence[str]) -> list[tuple[str, TaskSpec]]:
    """Return the cells of a protocol as (label, setting): each grade of each family, and those of the unseen world."""
    starter = starter_settings()
    return [
        (f"{family} {grade}", starter[family] if grade == "starter" else _spec(family, grade))
        for family in FAMILIES
        for grade in grades
    ] + [(f"{UNSEEN} {grade}", _spec(UNSEEN, grade)) for grade in unseen]


def smoke_study_settings() -> list[tuple[str, TaskSpec]]:
    """Return the cells of the protocol that shows the path and concludes nothing, as (label, setting)."""
    starter = starter_settings()
    return [
        *((f"{family} starter", starter[family]) for family in SMOKE_TRAINED),
        (f"{UNSEEN} easy", _spec(UNSEEN, "easy")),
    ]


def mini_study_settings() -> list[tuple[str, TaskSpec]]:
    """Return the cells of the protocol for two CPU cores, as (label, setting).

    A failing episode runs to its limit, in a chat that grows with each step: the limits of transfer-v1 would take most
    of such a study's time. WebShop and Blocks, which models of this size do not solve, are left to transfer-v1.
    """
    return [(f"{family} starter", _limited(starter_settings()[family], n)) for family, n in MINI_STEPS.items()]


def _limited(spec: TaskSpec, max_steps: int | None) -> TaskSpec:
    limit = () if max_steps is None else (("max_steps", max_steps),)
    return spec.with_(knobs=tuple(sorted((*spec.knobs, *limit))))


def lifecycle_study_settings() -> list[tuple[str, TaskSpec]]:
    """Return the cells of the protocol of training on packs, as (label, setting)."""
    return [
        (f"{family} {preset}", _with_fact(family, preset))
        for family in FACTS
        for preset in ("cod-4", "cod-4-wiped", "ralph-sample-4")
    ]


def lifecycle_smoke_settings() -> list[tuple[str, TaskSpec]]:
    """Return the cells of the protocol that shows the path of packs and concludes nothing, as (label, setting)."""
    return [
        (f"{family} {preset}", _with_fact(family, preset).with_(richness="lean"))
        for family in SMOKE_TRAINED
        for preset in ("cod-4", "cod-4-wiped")
    ]


def _with_fact(family: str, preset: str) -> TaskSpec:
    fact, difficulty = FACTS[family]
    return _spec(family, difficulty).with_(knobs=(("fact", fact),), lifecycle=preset)


def protocol_file(name: str) -> str:
    """Return the content of a protocol's file, with the suite of its name as it is frozen."""
    suite = load_suite(name)
    trained = [Condition("trained", family) for family in FAMILIES]
    if name == "transfer-v1":
        return protocol_text(
            "transfer",
            "Training on each family, without and with distractors, and what it costs or gives on the others",
            suite,
            [label for label, _ in study_settings(("starter", "easy", "hard"), ("easy", "medium"))],
            roles=[Condition("initial"), *trained, *(role._replace(augmented=True) for role in trained)],
            temperature=0.4,  # arXiv 2601.18217
        )
    if name in ("transfer-mini-v1", "transfer-mini-v2"):
        return protocol_text(
            "transfer",
            "Training on a family, and what it costs or gives on the others, on two CPU cores",
            suite,
            [label for label, _ in mini_study_settings()],
            roles=[Condition("initial")],
            optional=[Condition("trained", family, augmented=True) for family in MINI_STEPS],
            groups=[[Condition("trained", family)] for family in MINI_STEPS],
            temperature=0.4,
        )
    if name == "transfer-smoke":
        return protocol_text(
            "transfer",
            "A study of transfer in minutes, to see that everything works; it concludes nothing",
            suite,
            [label for label, _ in smoke_study_settings()],
            roles=[
                Condition("initial"),
                *(Condition("trained", family) for family in SMOKE_TRAINED),
                Condition("trained", "Sokoban", augmented=True),
            ],
            seeds=2,
            temperature=1.0,
        )
    if name == "lifecycle-transfer-v1":
        return protocol_text(
            "lifecycle",
            "Training on packs of each family, and what it gives on its own facts and on those of the others",
            suite,
            [label for label, _ in lifecycle_study_settings()],
            roles=[Condition("initial"), *trained],
            temperature=1.0,  # as in training (arXiv 2606.20002)
        )
    if name == "lifecycle-smoke":
        return protocol_text(
            "lifecycle",
            "A study of training on packs in minutes, to see that everything works; it concludes nothing",
            suite,
            [label for label, _ in lifecycle_smoke_settings()],
            roles=[Condition("initial"), *(Condition("trained", family) for family in SMOKE_TRAINED)],
            seeds=2,
            temperature=1.0,
        )
    if name == "difficulty-v2":
        return protocol_text(
            "difficulty",
            "Training on each difficulty of a family, and what it gives on the others",
            suite,
            [label for label, _ in study_settings(("starter", *DIFFICULTIES), ())],
            roles=[Condition("initial")],
            groups=[[role._replace(difficulty=each) for each in DIFFICULTIES] for role in trained],
            temperature=1.0,  # arXiv 2603.12011
        )
    return protocol_text(
        "sequence",
        "Training on one family after the other, in any order, against all at once",
        suite,
        [label for label, _ in study_settings(("starter", "easy", "hard"), ("easy", "medium"))],
        roles=[Condition("initial"), Condition("joint")],
        stages=FAMILIES,
        temperature=1.0,  # arXiv 2603.12011
    )


def _full(specs: Iterable[TaskSpec]) -> list[tuple[TaskSpec, int]]:
    return [(spec, LEADERBOARD_LEVELS) for spec in specs]


def paper_settings() -> list[TaskSpec]:
    """Return per family the setting whose prompts are as long as the paper's; docs/profile.md has the figures.

    Sokoban: its format of coordinates and its single box, in a room one cell wider, because our wording around it is
    shorter. ALFWorld: as many receptacles as the largest unseen room of ours has. WebShop: `text_rich` pages.
    SciWorld: all its commands in no prompt of that size; it lists 20.
    """
    return [
        _spec("Sokoban", "paper").with_(knobs=(("board", "coords"), ("max_steps", 50), ("size", 7))),
        _spec("WebShop", "medium").with_(knobs=(("page_format", "text_rich"),)),
        _spec("ALFWorld", "medium").with_(knobs=(("n_receptacles", 32),)),
        _spec("SciWorld", "paper").with_(knobs=(("max_commands", 20),)),
    ]


def _spec(family: str, difficulty: str, richness: str = "base", split: str = "test") -> TaskSpec:
    return TaskSpec.from_env_id(f"AgentGen/{family}-{richness}-v0", difficulty=difficulty, split=split)


def frozen_cell(spec: TaskSpec, n_levels: int) -> Cell:
    """Return the cell with the first `n_levels` seeds, from 0 up, that give levels not seen before."""
    seeds, level_ids = _distinct_levels(bare(spec), n_levels)
    return Cell(spec, seeds, level_ids)


@cache
def _distinct_levels(spec: TaskSpec, n_levels: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return seeds and level ids; views of one setting (richness, distractors, interface) share their levels."""
    levels: dict[str, int] = {}
    for seed, level_id in _levels(spec):
        levels.setdefault(level_id, seed)
        if len(levels) == n_levels:
            break
    return tuple(levels.values()), tuple(levels)


def changed_levels(cell: Cell) -> list[str]:
    """Return a line for each level of a frozen cell that its seed no longer gives."""
    env = make(cell.spec)
    try:
        found = [str(env.reset(seed=seed)[1]["level_id"]) for seed in cell.seeds]
    finally:
        env.close()
    return [
        f"{cell.spec.label} seed {seed}: frozen {frozen}, now {now}"
        for seed, frozen, now in zip(cell.seeds, cell.level_ids, found, strict=True)
        if frozen != now
    ]


def _levels(spec: TaskSpec) -> Iterator[tuple[int, str]]:
    env = make(spec)
    try:
        for seed in range(1_000_000):
            yield seed, str(env.reset(seed=seed)[1]["level_id"])
    finally:
        env.close()


def main() -> None:
    """Freeze the suites named on the command line."""
    folder = Path(str(resources.files("agentgen_bench.suites")))
    for name in sys.argv[1:]:
        description, cells = definitions()[name]
        frozen = tuple(frozen_cell(spec, n_levels) for spec, n_levels in cells)
        (folder / f"{name}.json").write_text(to_text(description, frozen), encoding="utf-8")
        if name in PROTOCOLS:
            (Path(__file__).parent / "protocols" / f"{name}.json").write_text(protocol_file(name), encoding="utf-8")


if __name__ == "__main__":
    main()
