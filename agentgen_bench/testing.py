"""The contract that every family keeps, as checks that a family's own tests can run: `check_family("AgentGen/X-v0")`.

Each check is a function that raises ContractError with what it found. `ID_CHECKS` concern one id, `FAMILY_CHECKS` all
ids of its family and are the same for each.
"""

import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env

from agentgen_bench import families
from agentgen_bench.contract import text_task
from agentgen_bench.envs.base import NO_ACTION
from agentgen_bench.episodes import chain
from agentgen_bench.errors import ActionError, AgentGenError, DataError, SpecError
from agentgen_bench.make import knobs_of, make
from agentgen_bench.prompts import History, PromptConfig, messages
from agentgen_bench.spec import ALIASES, DISTRACTOR_PRESETS, NAMESPACE, TaskSpec
from agentgen_bench.text import SOURCES, Richness, render

INFO_KEYS = {"sections", "admissible_commands", "task", "success", "score", "is_action_valid", "level_id"}
HEADINGS = (
    "Description",
    "Observation",
    "Actions",
    "Reward",
    "Episode end",
    "Info",
    "Knobs",
    "Version history",
)
N_ACTIONS = 8
WRONG_ACTION = "frobnicate the √ with é"
PROGRAM = "import sys; from agentgen_bench.testing import transcript; print(*map(transcript, sys.argv[1:]), sep='\\n')"
WALKED_SEED = 11


class ContractError(AgentGenError, AssertionError):
    """A family does not keep the contract; the message says which check found what."""


class Returned(NamedTuple):
    """What `reset` or `step` returned."""

    observation: str
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def check_family(env_id: str) -> None:
    """Run every check on a registered id and its family.

    Raises:
        ContractError: the first that fails; the message begins with its name.
    """
    for check in (*ID_CHECKS, *FAMILY_CHECKS):
        run_check(check, env_id)


def run_check(check: Callable[[str], None], env_id: str) -> None:
    """Run one check; whatever it raises becomes a ContractError that names check and id."""
    try:
        check(env_id)
    except Exception as error:
        if isinstance(error, ContractError):
            raise ContractError(f"{check.__name__}, {env_id}: {error}") from error.__cause__
        raise ContractError(f"{check.__name__}, {env_id}: {type(error).__name__}: {error}") from error


def walk(env: gym.Env[Any, Any], seed: int, n_actions: int = N_ACTIONS) -> Iterator[Returned]:
    """Yield what `reset` and each step returned; the actions are admissible ones and now and then a wrong one."""
    observation, info = env.reset(seed=seed)
    yield Returned(observation, 0.0, False, False, info)
    for step in range(n_actions):
        commands = info["admissible_commands"]
        action = "no such action" if step % 4 == 3 or not commands else commands[(7 * step) % len(commands)]
        returned = Returned(*env.step(action))  # type: ignore[arg-type]
        yield returned
        info = returned.info
        if returned.terminated or returned.truncated:
            return


def transcript(env_id: str, seed: int = WALKED_SEED) -> str:
    """Return one line that depends on every byte of a walk: observations, rewards and infos."""
    link = ""
    with made(env_id) as env:
        for returned in walk(env, seed):
            link = chain(link, json.dumps(returned, default=_plain))
    return f"{env_id} {link}"


@contextmanager
def made(env_id: str, **knobs: Any) -> Iterator[gym.Env[Any, Any]]:
    """Give an environment and close it."""
    env = gym.make(env_id, **knobs)
    try:
        yield env
    finally:
        env.close()


def gymnasium_finds_no_fault(env_id: str) -> None:
    """Gymnasium's `check_env` passes without a warning."""
    with made(env_id) as env, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*different from the unwrapped version.*")
        check_env(env.unwrapped, skip_render_check=True)


def observations_are_their_sections(env_id: str) -> None:
    """Observations lie in their space and equal their rendered sections; commands lie in the action space."""
    with made(env_id) as env:
        for returned in walk(env, 5):
            _require(returned.observation in env.observation_space, "an observation does not fit the space")
            _same(returned.observation, render(returned.info["sections"]), "observation and rendered sections")
            sources = {section.source for section in returned.info["sections"]}
            _require(sources <= set(SOURCES), f"sections have the sources {sorted(sources)}; known: {SOURCES}")
            commands = returned.info["admissible_commands"]
            _require(all(command in env.action_space for command in commands), "a command is no action")


def info_is_plain_and_complete(env_id: str) -> None:
    """Info has the agreed keys, plain values, a score in [0, 1] that is 1 exactly on success."""
    with made(env_id) as env:
        name = text_task(env).family.lower()
        for returned in walk(env, 5):
            info = returned.info
            _require(set(info) >= INFO_KEYS, f"info lacks {sorted(INFO_KEYS - set(info))}")
            plain = json.loads(json.dumps(info, default=_plain))
            _same(plain["score"], info["score"], "score as JSON")
            _require(0 <= info["score"] <= 1, f"the score {info['score']} is not in [0, 1]")
            _same(info["score"] == 1.0, info["success"], "score 1.0 and success")
            _require(info["level_id"].startswith(f"{name}:"), f"level_id {info['level_id']!r} starts not with {name}:")


def copies_walk_alike(env_id: str) -> None:
    """Two copies, one copy twice, and a pickled copy in the middle, all give the same."""
    with made(env_id) as env, made(env_id) as copy:
        first = list(walk(env, 3))
        _same(first, list(walk(copy, 3)), "two copies")
        list(walk(env, 4))
        _same(first, list(walk(env, 3)), "a level and the same level again")
        *_, last = walk(env, 6, 3)
        pickled = pickle.loads(pickle.dumps(env))
        if not (last.terminated or last.truncated):
            action = last.info["admissible_commands"][0]
            _same(pickled.step(action), env.step(action), "a pickled environment")
        pickled.close()


def a_seed_decides_what_follows(env_id: str) -> None:
    """A reset without a seed goes on to a level that the last seed decides; NumPy's integers are seeds."""
    with made(env_id) as env:
        env.reset(seed=1)
        following = [env.reset()[0], env.reset()[0]]
        env.reset(seed=np.int64(1))  # type: ignore[arg-type]
        _same(following, [env.reset()[0], env.reset()[0]], "levels after a seed")


def wrong_actions_do_nothing(env_id: str) -> None:
    """No action and an unknown one are invalid, use up a step, leave commands and score alone."""
    with made(env_id) as env:
        _, before = env.reset(seed=2)
        for action in (NO_ACTION, WRONG_ACTION):
            *_, after = env.step(action)
            _require(not after["is_action_valid"], f"{action!r} is said to be valid")
            _same(before["admissible_commands"], after["admissible_commands"], "commands after a wrong action")
            _same(before["score"], after["score"], "score after a wrong action")


def doing_nothing_is_truncated(env_id: str) -> None:
    """An episode without a valid action ends at its limit, unsolved."""
    with made(env_id) as env:
        env.reset(seed=8)
        limit = text_task(env).max_steps
        returned = [Returned(*env.step(NO_ACTION)) for _ in range(limit)]  # type: ignore[arg-type]
        _same([False] * (limit - 1) + [True], [each.truncated for each in returned], "truncation at the limit")
        _require(not returned[-1].info["success"], "doing nothing solved the level")


def misuse_is_refused(env_id: str) -> None:
    """A step before reset, an action that is no string, options and wrong settings give the agreed errors."""
    with made(env_id) as env:
        _raises(gym.error.ResetNeeded, lambda: env.step("look"))
        env.reset(seed=0)
        _raises(ActionError, lambda: env.step(5))
        _raises(SpecError, lambda: env.reset(options={"level": 3}))
        _raises(SpecError, lambda: env.reset(seed=-1))
    for wrong in ({"difficulty": "impossible"}, {"split": "holdout"}, {"colour": "red"}, {"distractors": "loud"}):
        _raises(SpecError, lambda wrong=wrong: gym.make(env_id, **wrong))  # type: ignore[misc]


def specs_rebuild_the_environment(env_id: str) -> None:
    """TaskSpec through JSON and Gymnasium's spec both give the same environment again."""
    spec = TaskSpec.from_json(TaskSpec.from_env_id(env_id, split="test").to_json())
    with made(spec.env_id, **spec.kwargs) as first:
        again = [make(spec), gym.make(first.spec)]  # type: ignore[arg-type]
        for env in again:
            _same(first.reset(seed=1), env.reset(seed=1), "a rebuilt environment")
            env.close()


def other_processes_give_the_same_bytes(env_id: str) -> None:
    """A process with another PYTHONHASHSEED plays the same."""
    _require(transcript(env_id) in _transcripts_elsewhere(_family_ids(env_id)), "another process plays something else")


def _family_ids(env_id: str) -> tuple[str, ...]:
    """Return the registered ids of an id's family and version, sorted: the plain one, and one for each richness."""
    spec = TaskSpec.from_env_id(env_id)
    labels = ("", *(f"-{richness.label}" for richness in Richness))
    names = (f"{NAMESPACE}/{spec.family}{label}-v{spec.version}" for label in labels)
    return tuple(sorted(name for name in names if name in gym.registry))


@cache  # one process for all ids of a family: most of it is the start
def _transcripts_elsewhere(env_ids: tuple[str, ...]) -> tuple[str, ...]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *env_ids],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(done.stdout.splitlines())


def vectors_see_what_single_ones_see(env_id: str) -> None:
    """Vectors in this process, in others, and the family's own, give what single environments give."""
    with made(env_id) as single:
        expected = [single.reset(seed=seed) for seed in (21, 22)]
        actions = tuple(info["admissible_commands"][0] for _, info in expected)
        after = single.step(actions[1])[0]
    for mode in (None, "sync", "async"):
        envs = gym.make_vec(env_id, num_envs=2, vectorization_mode=mode)
        try:
            observations, infos = envs.reset(seed=[21, 22])  # type: ignore[arg-type]
            _same([observation for observation, _ in expected], list(observations), f"observations of {mode}")
            _same([info["level_id"] for _, info in expected], list(infos["level_id"]), f"levels of {mode}")
            _same(after, envs.step(actions)[0][1], f"a step of {mode}")
        finally:
            envs.close()


def the_record_is_true(env_id: str) -> None:
    """The family's record agrees with its classes, its class is a manual page, its knobs have defaults."""
    spec = TaskSpec.from_env_id(env_id)
    record = families.family(spec.family)
    for version in record.versions:
        constructor = families.load(version.entry_point)
        _same(record.name, constructor.family, "name in record and class")
        _same(record.difficulties, constructor.difficulties, "difficulties in record and class")
        missing = [heading for heading in HEADINGS if heading not in (constructor.__doc__ or "")]
        _require(not missing, f"the docstring of {version.entry_point} lacks the headings {missing}")
    knobs = knobs_of(spec)
    _require({"difficulty", "split"} <= set(knobs), "the constructor takes no difficulty and split")
    words = [word.name.lower() for word in (*record.actions.words, *record.actions.buttons)]
    others = [text.lower() for w in (*record.actions.words, *record.actions.buttons) for text in w.synonyms]
    _require(not set(words) & set(others), f"{sorted(set(words) & set(others))} are both words and synonyms")


def splits_share_no_level(env_id: str) -> None:
    """The first levels of each split are in no other split, at every difficulty that needs no further data."""
    spec = TaskSpec.from_env_id(env_id)
    record = families.family(spec.family)
    for difficulty in record.difficulties:
        seen: dict[str, str] = {}
        for split in ("train", "valid", "test"):
            for level in _levels(env_id, difficulty, split):
                _same(split, seen.setdefault(level, split), f"the split of {difficulty} level {level}")


def _levels(env_id: str, difficulty: str, split: str) -> list[str]:
    """Return the first levels of a split; none where the difficulty needs data that is not here."""
    try:
        with made(env_id, difficulty=difficulty, split=split) as env:
            return [env.reset(seed=seed)[1]["level_id"] for seed in range(4)]
    except DataError:
        return []


def the_oracle_solves(env_id: str) -> None:
    """The expert solves test levels within the limit, in no more steps than it says."""
    with made(_view(env_id, Richness.LEAN), split="test") as env:
        for seed in range(3):
            _solved(env, seed)


def richer_text_only_adds(env_id: str) -> None:
    """Lean is contained in base and base in rich; everything but the sections is the same in all three."""
    envs = [gym.make(_view(env_id, richness)) for richness in Richness]
    for lean, base, rich in zip(*(walk(env, 9) for env in envs), strict=True):
        _require(lean.observation in base.observation, "lean text is not part of base text")
        _require(base.observation in rich.observation, "base text is not part of rich text")
        views = [_without_sections(view) for view in (lean, base, rich)]
        _require(views[0] == views[1] == views[2], "lean, base and rich differ in more than their sections")
    for env in envs:
        env.close()


def distractors_leave_the_task_alone(env_id: str) -> None:
    """Every preset adds sections of its own and nothing else: without them the bare text is back."""
    volumes = families.family(TaskSpec.from_env_id(env_id).family).volumes
    for preset, settings in DISTRACTOR_PRESETS.items():
        if settings.volume is None and preset not in volumes:
            continue
        with made(env_id) as bare, made(env_id, distractors=preset) as env:
            n_added = 0
            for plain, added in zip(walk(bare, 9), walk(env, 9), strict=True):
                own = [section for section in added.info["sections"] if section.source != "distractor"]
                n_added += len(added.info["sections"]) - len(own)
                _same(plain.observation, render(own), f"text without {preset}")
                _same(_without_sections(plain)[1:], _without_sections(added)[1:], f"the rest without {preset}")
                _require(added.observation in env.observation_space, "an observation does not fit the space")
            _require(n_added > 0 or settings.probability < 1, f"{preset} adds nothing")


def aliases_hide_the_words(env_id: str) -> None:
    """Under other names the expert still solves, the text tells the names, and the old words do nothing."""
    words = families.family(TaskSpec.from_env_id(env_id).family).actions.words
    for aliases in ALIASES[1:]:
        with made(env_id, interface=aliases) as env, made(env_id) as bare:
            templates = text_task(env).action_templates
            _require(set(templates).isdisjoint(text_task(bare).action_templates), f"{aliases} renames no template")
            _, info = env.reset(seed=1)
            before = bare.reset(seed=1)[1]["admissible_commands"]
            starts = tuple(word.name for word in words)
            old = next(command for command in before if command.startswith(starts))
            *_, after = env.step(old)
            _require(not after["is_action_valid"], f"{old!r} still works under {aliases}")
            command = info["admissible_commands"][0]
            _require(env.step(command)[4]["is_action_valid"], f"{command!r} is listed and not valid under {aliases}")
            _solved(env, 1)


def packs_are_played(env_id: str) -> None:
    """The expert solves a pack with notes and one without."""
    for preset in ("pack-4", "pack-4-wiped"):
        with made(env_id, interface="opaque", lifecycle=preset) as env:
            _solved(env, 0)
            _same(4, len(text_task(env).tasks()), "tasks of a pack")


def facts_stay_over_a_pack(env_id: str) -> None:
    """Each kind of fact that the family has is one and the same in all tasks of a pack, and another in another pack."""
    spec = TaskSpec.from_env_id(env_id)
    kinds = getattr(families.load(families.family(spec.family).version(spec.version).entry_point), "fact_kinds", ())
    for kind in [kind for kind in kinds if kind != "none"]:
        with made(env_id, fact=kind, lifecycle="pack-4-told") as env:
            _solved(env, 0)
            found = set(text_task(env).facts())
            _same(1, len(found), "facts of a pack")
            (fact,) = found
            _require(fact.name == kind and fact.value != "", f"the fact is {fact!r}")
        with made(env_id, fact=kind) as env, made(env_id) as plain:
            levels = [env.reset(seed=1, options={"fact_seed": seed})[1]["level_id"] for seed in range(6)]
            _require(len(set(levels)) > 1, f"the fact {kind} decides nothing of a level")
            again = env.reset(seed=1, options={"fact_seed": 0})[1]["level_id"]
            _same(levels[0], again, "a level under a fact and the same again")
            _same(plain.reset(seed=1), env.reset(seed=1, options={"fact_seed": None}), "a level without the fact")


def a_prompt_can_be_built(env_id: str) -> None:
    """A model's prompt holds the family's role, the task and the observation."""
    with made(env_id) as env:
        observation, info = env.reset(seed=0)
        task = text_task(env)
        history = History(
            key=(),
            family=task.family,
            task=task.task,
            step=1,
            max_steps=task.max_steps,
            observation=observation,
            turns=(),
            admissible_commands=info["admissible_commands"],
            action_templates=task.action_templates,
        )
        text = "".join(message.content for message in messages(history, PromptConfig()))
        for part in (families.family(task.family).role, task.task, observation):
            _require(part in text, f"a prompt lacks {part!r}")


ID_CHECKS = (
    gymnasium_finds_no_fault,
    observations_are_their_sections,
    info_is_plain_and_complete,
    copies_walk_alike,
    a_seed_decides_what_follows,
    wrong_actions_do_nothing,
    doing_nothing_is_truncated,
    misuse_is_refused,
    specs_rebuild_the_environment,
    other_processes_give_the_same_bytes,
    vectors_see_what_single_ones_see,
)
FAMILY_CHECKS = (
    the_record_is_true,
    splits_share_no_level,
    the_oracle_solves,
    richer_text_only_adds,
    distractors_leave_the_task_alone,
    aliases_hide_the_words,
    packs_are_played,
    facts_stay_over_a_pack,
    a_prompt_can_be_built,
)


def _solved(env: gym.Env[Any, Any], seed: int) -> None:
    env.reset(seed=seed)
    info: dict[str, Any] = {}
    task, steps, ended = text_task(env), 0, False
    while not ended:
        _, _, terminated, truncated, info = env.step(task.expert_action())
        steps, ended = steps + 1, terminated or truncated
    _require(info["success"] and info["score"] == 1.0, f"the expert does not solve seed {seed}")
    _require(task.expert_length in (None, steps), f"the expert took {steps} steps, it said {task.expert_length}")


def _view(env_id: str, richness: Richness) -> str:
    return TaskSpec.from_env_id(env_id).with_(richness=richness).env_id


def _without_sections(returned: Returned) -> tuple[Any, ...]:
    info = {name: value for name, value in returned.info.items() if name != "sections"}
    return None, *returned[1:4], info


def _raises(kind: type[Exception], call: Callable[[], object]) -> None:
    try:
        call()
    except kind:
        return
    except Exception as error:
        raise ContractError(f"expected {kind.__name__}, got {type(error).__name__}: {error}") from error
    raise ContractError(f"expected {kind.__name__}, nothing was raised")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ContractError(message)


def _same(expected: object, found: object, what: str) -> None:
    if expected != found:
        raise ContractError(f"{what}: expected {_short(expected)}, found {_short(found)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _plain(value: Any) -> Any:
    """Return a section as a list: it may be a value of its own kind."""
    return [value.text, int(value.richness), value.source]
