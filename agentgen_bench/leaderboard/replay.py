"""Replay: play the recorded actions again, and compare everything the environment answers, bit for bit.

The same rollout loop records the replay, so the comparison is field by field between two records. What only the
policy knows (completions, prompt and token counts) cannot be replayed and is carried over.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import fields
from itertools import islice
from multiprocessing import get_context
from typing import NamedTuple

from agentgen_bench.answers import read_answer
from agentgen_bench.episodes import Episode, Step
from agentgen_bench.leaderboard.equal import same
from agentgen_bench.leaderboard.limits import limited
from agentgen_bench.leaderboard.records import name_of, packed
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from agentgen_bench.workers import end_with_parent

CHUNK = 40  # episodes of one setting that a process replays at a time
CHUNK_STEPS = 2_000  # in fewer episodes where they are long: workers end together, and a busy machine keeps the limit
HELD_STEPS = 40_000  # recorded steps of unfilled chunks, of all settings together: some 30 MB
CHUNK_LIMIT_S = 900.0  # of CPU time, for a chunk in a process of its own: 450 ms for each step of a full one
STILL_LIMIT_S = 900.0  # in which a chunk takes hardly any CPU time: it waits for what will not come
PROCESS_ENDED = (
    f"a replaying process was ended: by the limit of {CHUNK_LIMIT_S:.0f} s of CPU time for {CHUNK} episodes, because "
    f"it stood still for {STILL_LIMIT_S:.0f} s, or from outside; is there memory enough? Try fewer workers"
)
ENVIRONMENTS = 1  # that a process has open at once: records need no batches, and SciWorld changes seats in no time
TEXTS = ("sections", "first_sections")  # compact records leave them out
START_FIELDS = ("level_id", "task", "max_steps", "first_hash", "first_chars", "first_admissible")
STEP_FIELDS = tuple(field.name for field in fields(Step) if field.name not in TEXTS)
END_FIELDS = tuple(field.name for field in fields(Episode) if field.name not in ("steps", *START_FIELDS, *TEXTS))


class Replayed(NamedTuple):
    """The outcome of a chunk: how many steps were replayed, and a line for each episode that differs."""

    episodes: int
    steps: int
    differences: list[str]


class RecordedPolicy:
    """Gives back the decisions of records of one setting; past a record's end it has no action."""

    def __init__(self, name: str, episodes: Iterable[Episode], config: PromptConfig | None = None) -> None:
        """Create the policy of these records, played under `name`.

        With a `config` whose answers are numbers of a list, the numbers are looked up again.
        """
        self.name = name
        self._config = config if config is not None and config.action_format == "choice" else None
        self._steps = {(episode.seed, episode.repeat): episode.steps for episode in episodes}

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return the recorded decision of each history's step."""
        return [self._decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": "recorded"}

    def _decide(self, history: History) -> Decision:
        _, seed, repeat, number = history.key
        steps = self._steps[int(seed), int(repeat)]
        if int(number) > len(steps):
            return Decision("", None, ParseReason.EMPTY)
        step = steps[int(number) - 1]
        action, reason = step.action, None if step.parse_reason is None else ParseReason(step.parse_reason)
        if self._config is not None and step.completion:
            action, reason, _ = read_answer(step.completion, history, self._config, cut=step.finish_reason == "length")
        return Decision(
            completion=step.completion,
            action=action,
            reason=reason,
            prompt_chars=step.prompt_chars,
            prompt_tokens=step.prompt_tokens,
            completion_tokens=step.completion_tokens,
            dropped_turns=step.dropped_turns,
            finish_reason=step.finish_reason,
            marks=step.marks,
            cost_usd=step.cost_usd,
        )


def replay(episodes: Sequence[Episode], record_text: bool = False, config: PromptConfig | None = None) -> list[Episode]:
    """Return new records of the same actions, in the order of the given ones; all must be of one setting.

    With `record_text` the new records hold the texts of the observations, which compact ones lack.
    """
    spec = TaskSpec.from_json(episodes[0].spec)
    policy = RecordedPolicy(episodes[0].policy, episodes, config)
    jobs = [Job(spec, episode.seed, episode.repeat, episode.level_id) for episode in episodes]
    played = {new.key: new for new in play(jobs, policy, workers=ENVIRONMENTS, record_text=record_text)}
    return [played[episode.key] for episode in episodes]


def replay_chunk(episodes: Sequence[Episode], config: PromptConfig | None = None) -> Replayed:
    """Return how the replay of episodes of one setting differs from their records."""
    again = replay(episodes, config=config)
    found = [difference(old, packed(new)) for old, new in zip(episodes, again, strict=True)]
    return Replayed(
        len(episodes), sum(len(episode.steps) for episode in episodes), [line for line in found if line is not None]
    )


def replay_all(
    episodes: Iterable[Episode], workers: int | None = None, config: PromptConfig | None = None
) -> Iterator[Replayed]:
    """Yield the outcome of each chunk, over `workers` processes (default: all cores); records are taken as needed.

    With one worker everything happens in this process, without the limits of a chunk.

    Raises:
        BrokenProcessPool: a process was ended, from outside or by those limits.
    """
    workers = workers or os.cpu_count() or 1
    chunks = _chunks(episodes)
    if workers == 1:
        yield from (replay_chunk(chunk, config) for chunk in chunks)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker) as pool:
        running: set[Future[Replayed]] = set()
        try:
            while True:
                ready = islice(chunks, 2 * workers - len(running))
                running |= {pool.submit(_limited, chunk, config, CHUNK_LIMIT_S, STILL_LIMIT_S) for chunk in ready}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    # Ctrl-C reaches the workers too: they end at once and silently; the trace of each would bury our one line.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()


def _limited(chunk: Sequence[Episode], config: PromptConfig | None, cpu_s: float, still_s: float) -> Replayed:
    """Replay a chunk in a process of its own, which ends where that costs too much, whatever it hangs in."""
    with limited(cpu_s, still_s):
        return replay_chunk(chunk, config)


def difference(recorded: Episode, replayed: Episode) -> str | None:
    """Return where the replay first differs from the record, in one line; None where they are the same."""
    name = name_of(recorded)
    if replayed.ending == "error":
        return f"{name}: the replay failed: {_short(replayed.error)}"
    if (found := _differing_field(START_FIELDS, recorded, replayed)) is not None:
        return f"{name}: {found}"
    for number, (old, new) in enumerate(zip(recorded.steps, replayed.steps, strict=False), 1):
        if (found := _differing_field(STEP_FIELDS, old, new)) is not None:
            return f"{name}, step {number}: {found}"
    if len(recorded.steps) != len(replayed.steps):
        more = len(replayed.steps) > len(recorded.steps)
        return f"{name}: {len(recorded.steps)} steps are recorded, the episode has {'more' if more else 'fewer'}"
    found = _differing_field(END_FIELDS, recorded, replayed)
    return None if found is None else f"{name}: {found}"


def _chunks(episodes: Iterable[Episode]) -> Iterator[list[Episode]]:
    """Yield the episodes in chunks of one setting; unfilled ones are held back, up to `HELD_STEPS` steps in all."""
    held: dict[str, list[Episode]] = {}
    sizes: Counter[str] = Counter()
    for episode in episodes:
        setting = episode.key[0]
        held.setdefault(setting, []).append(episode)
        sizes[setting] += len(episode.steps)
        full = len(held[setting]) == CHUNK or sizes[setting] >= CHUNK_STEPS
        if full or sizes.total() > HELD_STEPS:
            ready = setting if full else max(sizes, key=sizes.__getitem__)
            del sizes[ready]
            yield held.pop(ready)
    yield from held.values()


def _differing_field(names: Sequence[str], old: object, new: object) -> str | None:
    for name in names:
        a, b = getattr(old, name), getattr(new, name)
        if not same(a, b):
            return f"{name} is recorded as {_short(a)}, the replay gives {_short(b)}"
    return None


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
