"""The episodes of an entry: how they are packed, which must be there, and what each must be like before it is replayed.

What a record may hold is limited, so that a stranger's costs no more than an honest one: see `safe` for its line, and
the constants here for its parts.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentgen_bench.answers import read_answer, whole_answer
from agentgen_bench.episodes import Episode, Step, canonical_json, from_json
from agentgen_bench.errors import DataError, EntryError, SpecError
from agentgen_bench.leaderboard.entry import EPISODES, Metadata
from agentgen_bench.leaderboard.safe import parse_json, read_gzip_lines
from agentgen_bench.parsing import MAX_ACTION_CHARS, ParseReason, read
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.scores.base import family
from agentgen_bench.spec import MAX_CONTEXT_CHARS, TaskSpec
from agentgen_bench.suites import Suite

LINK_CHARS = 4  # of a link of the hash chain before the last
HASH_CHARS = 32
REASONS = tuple(str(reason) for reason in ParseReason)
MAX_EPISODES = 100_000
MAX_STEPS = 2_000_000  # of an entry; the longest of core-v1 has 350,000
MAX_WORDS = 4  # texts of an analysis, such as the name of a game's file
MAX_COUNTS = 64  # of an analysis, or of characters by source
MAX_MARKS, MAX_WORD_CHARS = 16, 40  # of a step: what stood around its action, and each such word
MAX_TEMPLATES = 256
MAX_TEXT_CHARS = 256  # of a name or a template
MAX_TASK_CHARS = 4096  # of a task in words, or of what a fact says; the longest fact of lifecycle-v2 has 698
MAX_PROMPT = 10**9  # characters or turns of one prompt
MAX_COST_USD = 10**6  # of one step
MAX_REWARD = 10**6  # of one step, either way: sums of what JSON may hold would leave the range of floats
MAX_TOKENS = 10**8  # of an episode: sums over levels are taken in 64 bits, in units of 1 / 2**24

# Policies of ours whose completion is the action itself, or a reason and the action between tags. Every other kind is
# checked as a model: what it did must be what its completions say.
SCRIPTED_KINDS = ("random", "noop", "oracle", "alfworld-searcher", "webshop-first-hit", "webshop-read-all-ten")

# What an agent of a submitter's own says is the action itself, or a completion that holds it.
AGENT_KIND = "agent"

Key = tuple[str, int, int]  # Episode.key


def expected_levels(suite: Suite, repeats: int) -> dict[Key, str]:
    """Return the level id of every episode that an entry must hold, by Episode.key.

    Raises:
        EntryError: more than `MAX_EPISODES`.
    """
    if (number := repeats * sum(len(cell.seeds) for cell in suite.cells)) > MAX_EPISODES:
        raise EntryError(
            f"{repeats} repeats of {suite.name} are {number} episodes; at most {MAX_EPISODES} are accepted"
        )
    return {
        (canonical_json(cell.spec.to_json()), seed, repeat): level_id
        for cell in suite.cells
        for seed, level_id in zip(cell.seeds, cell.level_ids, strict=True)
        for repeat in range(repeats)
    }


def most_tasks(spec: TaskSpec) -> int:
    """Return how many tasks an episode holds at most: those of a pack, else one."""
    pack = spec.lifecycle_spec
    return 1 if pack is None else pack.tasks


def read_entry_episodes(path: Path, metadata: Metadata, suite: Suite, *, parsed: bool = True) -> Iterator[Episode]:
    """Yield the checked episodes of an entry's folder.

    With `parsed` off, completions are not parsed: for a second reading.
    """
    lines = read_gzip_lines(path / EPISODES)
    return checked_episodes(lines, str(path / EPISODES), metadata, suite, parsed=parsed)


def checked_episodes(
    lines: Iterable[bytes], where: str, metadata: Metadata, suite: Suite, *, parsed: bool = True
) -> Iterator[Episode]:
    """Yield the episodes of an entry's lines, each checked against the suite; at the end, that none is missing.

    Raises:
        EntryError: at the first line that is not an episode of this entry; the message names the line.
    """
    levels = expected_levels(suite, metadata.repeats)
    config = prompt_of(metadata)
    n_tasks = {canonical_json(cell.spec.to_json()): most_tasks(cell.spec) for cell in suite.cells}
    left = dict.fromkeys(levels)
    steps = 0
    for number, line in enumerate(lines, 1):
        here = f"{where}, line {number}"
        try:
            episode = from_json(parse_json(line, here))
            key = episode.key
        except (DataError, ValueError, TypeError, RecursionError) as error:
            raise EntryError(f"{here}: {_short(error)}") from None
        if key not in levels:
            raise EntryError(
                f"{here}: seed {episode.seed}, repeat {episode.repeat} of {key[0][:200]} is not in the suite"
            )
        name = name_of(episode)
        if key not in left:
            raise EntryError(f"{here}: {name} is there twice")
        del left[key]
        _check_episode(episode, levels[key], metadata, f"{here}: {name}")
        _check_sizes(episode, n_tasks[key[0]], f"{here}: {name}")
        if parsed:
            _check_completions(episode, config, metadata.policy.get("kind") == AGENT_KIND, f"{here}: {name}")
        steps += len(episode.steps)
        if steps > MAX_STEPS:
            raise EntryError(f"{here}: more than {MAX_STEPS} steps so far")
        yield episode
    if left:
        spec, seed, repeat = next(iter(left))
        raise EntryError(
            f"{where}: {len(left)} episodes of the suite are missing, such as seed {seed}, repeat {repeat} of {spec}"
        )


def _check_episode(episode: Episode, level_id: str, metadata: Metadata, here: str) -> None:
    if episode.level_id != level_id:
        raise EntryError(f"{here} has level {episode.level_id[:80]!r}, the suite says {level_id!r}")
    if episode.policy != metadata.policy.get("name"):
        raise EntryError(f"{here} was played by {episode.policy[:80]!r}, not by {metadata.policy.get('name')!r}")
    if episode.ending == "error" or episode.error is not None:
        raise EntryError(f"{here} ended in an error; an entry holds only whole episodes")
    texts = (episode.first_sections, episode.first_commands)
    if len(episode.steps) > episode.max_steps:
        raise EntryError(f"{here} has {len(episode.steps)} steps of at most {episode.max_steps}")
    later = ((step.sections, step.admissible_commands) for step in episode.steps)
    if any(text is not None for pair in (texts, *later) for text in pair):
        raise EntryError(f"{here} holds texts of observations; an entry holds their hashes, replay the texts")
    for i, step in enumerate(episode.steps, 1):
        known = step.parse_reason in REASONS if step.action is None else step.parse_reason is None
        if not known:
            raise EntryError(f"{here}, step {i}: either an action or a known parse reason, not both or neither")


def _check_sizes(episode: Episode, n_tasks: int, here: str) -> None:
    """Raise EntryError for a part that is larger than any that was ever played: it would be carried through replay."""
    texts = {key: value for key, value in episode.analysis.items() if isinstance(value, str)}
    if len(texts) > MAX_WORDS or any(len(text) > MAX_TEXT_CHARS for pair in texts.items() for text in pair):
        raise EntryError(f"{here}: analysis holds more than {MAX_WORDS} texts of {MAX_TEXT_CHARS} characters")
    _check_counts("analysis", {key: value for key, value in episode.analysis.items() if key not in texts}, here)
    _check_counts("first_chars", episode.first_chars, here)
    templates = episode.action_templates
    if len(templates) > MAX_TEMPLATES or any(len(template) > MAX_TEXT_CHARS for template in templates):
        raise EntryError(f"{here}: more than {MAX_TEMPLATES} action templates of {MAX_TEXT_CHARS} characters")
    if len(episode.first_hash) > HASH_CHARS:
        raise EntryError(f"{here}: a hash has {HASH_CHARS} hex digits, not {len(episode.first_hash)}")
    _check_tasks(episode, n_tasks, here)
    _check_parts(episode, n_tasks, here)
    tokens = 0
    for i, (step, context_chars) in enumerate(zip(episode.steps, _context_chars(episode), strict=True), 1):
        longest = MAX_ACTION_CHARS if context_chars is None else context_chars
        if step.action is not None and len(step.action) > longest:
            raise EntryError(f"{here}, step {i}: an action of {len(step.action)} characters; at most {longest}")
        words = (step.finish_reason or "", *step.marks)
        if len(step.marks) > MAX_MARKS or any(len(word) > MAX_WORD_CHARS for word in words):
            raise EntryError(f"{here}, step {i}: its finish_reason or marks are longer than any of ours")
        if len(step.observation_hash) > HASH_CHARS:
            raise EntryError(f"{here}, step {i}: a hash has {HASH_CHARS} hex digits, not {len(step.observation_hash)}")
        _check_counts("observation_chars", step.observation_chars, f"{here}, step {i}")
        _check_spent(step, f"{here}, step {i}")
        tokens += step.prompt_tokens + step.completion_tokens
    if tokens > MAX_TOKENS:
        raise EntryError(f"{here}: {tokens} tokens in one episode; at most {MAX_TOKENS} are accepted")


def _check_tasks(episode: Episode, n_tasks: int, here: str) -> None:
    for name, begun in (("tasks", episode.tasks), ("facts", episode.facts)):
        if len(begun) > n_tasks:
            raise EntryError(f"{here}: {len(begun)} {name}; an episode of the setting has at most {n_tasks}")
    if any(len(task.note or "") > MAX_CONTEXT_CHARS for task in episode.tasks):
        raise EntryError(f"{here}: a task has a note of more than {MAX_CONTEXT_CHARS} characters")
    if any(len(fact.name) > MAX_TEXT_CHARS or len(fact.value) > MAX_TASK_CHARS for fact in episode.facts):
        raise EntryError(
            f"{here}: a fact has a name of more than {MAX_TEXT_CHARS} characters, or says more than {MAX_TASK_CHARS}"
        )


def _check_parts(episode: Episode, n_tasks: int, here: str) -> None:
    if len(episode.parts) > 2 * n_tasks:
        raise EntryError(f"{here}: {len(episode.parts)} parts of a pack; at most {2 * n_tasks}")
    for part in episode.parts:
        if len(part.task) > MAX_TASK_CHARS or max(len(part.context), part.context_chars or 0) > MAX_CONTEXT_CHARS:
            raise EntryError(
                f"{here}: a part of a pack has a task of more than {MAX_TASK_CHARS} characters, or a context of more "
                f"than {MAX_CONTEXT_CHARS}"
            )


def _context_chars(episode: Episode) -> list[int | None]:
    """Return for each step the most characters of the context that is asked for there; None where an action is."""
    asked = {part.start: part.context_chars for part in episode.parts}
    return [asked.get(i) for i in range(len(episode.steps))]


def _check_counts(name: str, counts: Mapping[Any, Any], here: str) -> None:
    if len(counts) > MAX_COUNTS or not all(
        len(key) <= MAX_TEXT_CHARS and (value is None or isinstance(value, (int, float)))
        for key, value in counts.items()
    ):
        raise EntryError(f"{here}: {name} holds more than {MAX_COUNTS} numbers, or something else than numbers")


def _check_spent(step: Step, here: str) -> None:
    """Raise EntryError for a count that only the policy knows, where it is no count, or for a reward beyond all."""
    for name in ("prompt_chars", "prompt_tokens", "completion_tokens", "dropped_turns"):
        if not 0 <= getattr(step, name) <= MAX_PROMPT:
            raise EntryError(f"{here}: {name} is {getattr(step, name)}; 0 to {MAX_PROMPT} are accepted")
    if not 0 <= step.cost_usd <= MAX_COST_USD:
        raise EntryError(f"{here}: cost_usd is {step.cost_usd}; 0 to {MAX_COST_USD} are accepted")
    if abs(step.reward) > MAX_REWARD:
        raise EntryError(f"{here}: reward is {step.reward}; -{MAX_REWARD} to {MAX_REWARD} are accepted")


def prompt_of(metadata: Metadata) -> PromptConfig | None:
    """Return the prompt settings that completions are read by; None for a scripted policy, which has none to read.

    Raises:
        EntryError: they are no settings of ours.
    """
    try:
        config = PromptConfig.from_json(metadata.prompt)
    except (SpecError, TypeError, ValueError, AttributeError) as error:
        raise EntryError(f"the metadata's prompt is none of ours: {_short(error)}") from None
    if (kind := metadata.policy.get("kind")) not in SCRIPTED_KINDS:
        return config
    if metadata.policy.get("name") != kind:
        raise EntryError(f"a policy of kind {kind!r} has that name too, not {metadata.policy.get('name')!r}")
    return None


def _check_completions(episode: Episode, config: PromptConfig | None, is_agent: bool, here: str) -> None:
    """Raise EntryError where an action is not the one that its completion holds; what needs a list waits for replay."""
    own = _history(episode)
    for i, (step, context_chars) in enumerate(zip(episode.steps, _context_chars(episode), strict=True), 1):
        history = own if context_chars is None else replace(own, context_chars=context_chars)
        read_whole = whole_answer(step.completion, history)
        if is_agent and (step.action, step.parse_reason, step.marks) == read_whole:
            continue
        if config is None:
            if step.completion != (step.action or "") and not _says_why(step):
                raise EntryError(
                    f"{here}, step {i}: the completion of a scripted policy is its action, this one is not"
                )
            continue
        if step.parse_reason == ParseReason.PROMPT_TOO_LONG and not step.completion and step.action is None:
            continue
        if config.action_format == "choice" and not history.asks_context:
            reading = read(step.completion, "choice", cut=_is_cut(step))
            known = (step.action, step.parse_reason, step.marks) == reading
            if reading.action is not None:  # a number, which replay looks up; where it is on no line, no marks count
                known = step.marks == (() if step.action is None else reading.marks)
        else:
            reading = read_answer(step.completion, history, config, cut=_is_cut(step))
            known = (step.action, step.parse_reason, step.marks) == reading
        if not known:
            raise EntryError(f"{here}, step {i}: the action {step.action!r} is not what the completion holds")


def _says_why(step: Step) -> bool:
    """Return whether a demonstrator's completion, a reason and an action between tags, holds the recorded action."""
    return read(step.completion, "tagged") == (step.action, step.parse_reason, step.marks)


def _is_cut(step: Step) -> bool:
    return step.finish_reason == "length"


def _history(episode: Episode) -> History:
    """Return what of a history decides how an answer is read, lists of commands apart."""
    return History(
        key=(episode.level_id, episode.seed, episode.repeat, 1),
        family=family(episode.spec),
        task=episode.task,
        step=1,
        max_steps=episode.max_steps,
        observation="",
        turns=(),
        admissible_commands=(),
        action_templates=episode.action_templates,
    )


def for_replay(episode: Episode, config: PromptConfig | None = None) -> Episode:
    """Return the episode without its completions, which are long; of a choice among numbered commands the number."""
    if config is None or config.action_format != "choice":
        return replace(episode, steps=tuple(replace(step, completion="") for step in episode.steps))
    steps = zip(episode.steps, _context_chars(episode), strict=True)
    numbers = [replace(step, completion=_number(step) if chars is None else "") for step, chars in steps]
    return replace(episode, steps=tuple(numbers))


def _number(step: Step) -> str:
    number = read(step.completion, "choice", cut=_is_cut(step)).action
    return "" if number is None else f"<action>{number}</action>"


def packed(episode: Episode) -> Episode:
    """Return the episode as an entry holds it: no texts, and of each link of the hash chain only its beginning.

    The last link stays whole: it commits to every observation before it. The beginnings tell a verification at which
    step an observation differs, at an eighth of the size (hashes do not compress).
    """
    compact = episode.compact()
    steps = [replace(step, observation_hash=step.observation_hash[:LINK_CHARS]) for step in compact.steps[:-1]]
    return replace(compact, steps=(*steps, *compact.steps[-1:]))


def name_of(episode: Episode) -> str:
    """Return how an episode is named in messages."""
    spec = episode.spec
    return f"{spec['env_id']} {spec['difficulty']} seed {episode.seed} repeat {episode.repeat}"


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
