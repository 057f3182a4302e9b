"""Demonstrations: from recorded episodes to pairs of prompt and completion, for behaviour cloning.

A file of demonstrations is JSON lines in the conversational prompt-completion format that TRL and others read, with a
few keys of ours beside it. In the protocol `window` a line is one step; in a growing chat it is an episode, its
completion the agent's answers and the observations between them.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from agentgen_bench.answers import read_answer, tools_for, written_answer
from agentgen_bench.episodes import Episode, Step
from agentgen_bench.errors import DataError, RunError
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.knobs import SpecJson
from agentgen_bench.prompts import History, Message, MessageJson, PromptConfig, messages
from agentgen_bench.scores.packs import writing_places
from agentgen_bench.spec import TaskSpec
from agentgen_bench.tools import Tool
from agentgen_bench.train.settings import LEARNED_SPLITS, refuse_held_out_levels

SAMPLES = "samples.jsonl"
COLLECTING = "collecting demonstrations"
_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)


class Demonstration(NamedTuple):
    """One step to imitate, or an episode of them: the prompt, what to answer, and where it comes from.

    `completion` begins and ends with an answer; the messages between are observations. `unwanted` holds which answers,
    from 0, are there to be read and not to be imitated: what the environment did not take.
    """

    environment: str  # the family, in lower case
    level_id: str
    split: str
    step: int
    thinking: bool  # as the prompt asked for it; chat templates may want to know
    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    unwanted: tuple[int, ...] = ()
    tools: tuple[Tool, ...] = ()
    spec: SpecJson | None = None  # of the episode; files written before it was kept have none

    def is_wanted(self, answer: int) -> bool:
        """Return whether an answer, counted from 0, is to be imitated."""
        return answer not in self.unwanted


def demonstrations(
    episode: Episode, config: PromptConfig, *, only_solved: bool = False, purpose: str = COLLECTING
) -> Iterator[Demonstration]:
    """Yield the steps of an episode whose action was valid, as prompts and completions under `config`.

    In a growing chat they are one demonstration; in packs, whose tasks begin a chat anew, one for each task. With
    `only_solved` those of an episode that was solved; of a pack, those of its solved tasks and all that wrote what was
    kept: what an unsolved task taught is what the next one is solved by. `purpose` is what they are for, as the refusal
    of a held-out episode names it.

    Raises:
        DataError: the episode is a compact record, without texts.
        SpecError: the episode is of the test split.
    """
    if episode.first_sections is None or any(step.sections is None for step in episode.steps):
        raise DataError("the episode was recorded without its texts; record it anew, without --compact")
    spec = TaskSpec.from_json(episode.spec)
    refuse_held_out_levels([spec], purpose)
    worth = _worth(episode) if only_solved else [True] * len(episode.steps)
    steps = [
        (history, step, is_worth and step.is_action_valid)
        for history, step, is_worth in zip(histories(episode), episode.steps, worth, strict=True)
    ]
    if config.protocol != "window":
        yield from _chats(spec, episode.level_id, steps, config)
        return
    for history, step, is_used in steps:
        completion = completion_text(step, history, config)
        if completion is not None and is_used:
            yield Demonstration(
                environment=spec.family.lower(),
                level_id=episode.level_id,
                split=spec.split,
                step=history.step,
                thinking=config.thinking,
                prompt=tuple(messages(history, config)),
                completion=(Message("assistant", completion),),
                spec=spec.to_json(),
            )


def _worth(episode: Episode) -> list[bool]:
    """Return of each step whether it led to something: its task was solved, or it wrote what a pack keeps."""
    if "lifecycle" not in episode.spec:
        return [episode.success] * len(episode.steps)
    ends = [*(task.start for task in episode.tasks[1:]), len(episode.steps)]
    solved = [task.score >= 1.0 for task, end in zip(episode.tasks, ends, strict=True) for _ in range(task.start, end)]
    writing = writing_places(episode)
    return [is_solved or place in writing for place, is_solved in enumerate(solved)]


def _chats(
    spec: TaskSpec, level_id: str, steps: Sequence[tuple[History, Step, bool]], config: PromptConfig
) -> Iterator[Demonstration]:
    """Yield the steps as chats; one begins at each step that has no past turns. The flag: whether it is imitated."""
    starts = [i for i, (history, _, _) in enumerate(steps) if not history.turns]
    for start, end in zip(starts, [*starts[1:], len(steps)], strict=True):
        own = steps[start:end]
        written = [completion_text(step, history, config) for history, step, _ in own]
        answers = [step.completion if text is None else text for text, (_, step, _) in zip(written, own, strict=True)]
        unwanted = tuple(i for i, (_, _, is_used) in enumerate(own) if written[i] is None or not is_used)
        if len(unwanted) == len(own):
            continue
        last = own[-1][0]
        turns = (turn._replace(completion=answer) for turn, answer in zip(last.turns, answers, strict=False))
        chat = messages(replace(last, turns=tuple(turns)), config)
        n_prompt = len(chat) - 2 * (len(own) - 1)
        yield Demonstration(
            environment=spec.family.lower(),
            level_id=level_id,
            split=spec.split,
            step=own[0][0].step,
            thinking=config.thinking,
            prompt=tuple(chat[:n_prompt]),
            completion=(*chat[n_prompt:], Message("assistant", answers[-1])),
            unwanted=unwanted,
            tools=tools_for(last) if config.protocol == "tools" else (),
            spec=spec.to_json(),
        )


def completion_text(step: Step, history: History, config: PromptConfig) -> str | None:
    """Return the completion as recorded where it is an answer as asked for, else one written for its action.

    What is written holds the recorded thought, which scripted policies tag: an empty one where there was none. None
    where the step has no action, or one that the format cannot say.
    """
    if step.action is None:
        return None
    thought = _THOUGHT.search(step.completion)
    if read_answer(step.completion, history, config).action == step.action and (config.thinking or not thought):
        return step.completion
    return written_answer(thought[1].strip() if thought else "", step.action, history, config)


def write_demonstrations(path: Path, items: Iterable[Demonstration]) -> int:
    """Write the demonstrations in one move and return how many; the folder is made where it is not there.

    Raises:
        RunError: the folder cannot be made, or the disk is full.
    """
    temporary = path.with_name(path.name + ".tmp")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            for item in items:
                file.write(json.dumps(_to_json(item), ensure_ascii=False) + "\n")
                count += 1
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    return count


def read_demonstrations(path: Path) -> Iterator[Demonstration]:
    """Yield the demonstrations of a file, or of the file `samples.jsonl` in a folder.

    Raises:
        DataError: there is no such file, or a line is not a demonstration, or one of the test split; the message names
            file and line.
    """
    path = path / SAMPLES if path.is_dir() else path
    if not path.is_file():
        raise DataError(f"no demonstrations at {path}; record some with: agentgen-bench collect --output DIR")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                item = _from_json(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise DataError(f"{path}, line {number} is not a demonstration: {error!r}") from None
            if item.split not in LEARNED_SPLITS:
                raise DataError(
                    f"{path}, line {number} is of the {item.split} split, which is not trained on; collect others"
                )
            yield item


class DemonstrationJson(TypedDict):
    """A line of a file of demonstrations: TRL's keys, then ours."""

    prompt: list[MessageJson]
    completion: list[MessageJson]
    environment: str
    level_id: str
    split: str
    step: int
    thinking: bool
    unwanted: NotRequired[list[int]]
    tools: NotRequired[list[Mapping[str, Any]]]  # fields of Tool
    spec: NotRequired[SpecJson]


def _to_json(item: Demonstration) -> DemonstrationJson:
    line: DemonstrationJson = {
        "prompt": [message.to_json() for message in item.prompt],
        "completion": [message.to_json() for message in item.completion],
        "environment": item.environment,
        "level_id": item.level_id,
        "split": item.split,
        "step": item.step,
        "thinking": item.thinking,
    }
    if item.unwanted:
        line["unwanted"] = list(item.unwanted)
    if item.tools:
        line["tools"] = [asdict(tool) for tool in item.tools]
    if item.spec is not None:
        line["spec"] = item.spec
    return line


def _from_json(data: Mapping[str, Any]) -> Demonstration:
    completion = tuple(map(_message, data["completion"]))
    answers = [message.role == "assistant" for message in completion]
    if len(answers) % 2 == 0 or answers != [i % 2 == 0 for i in range(len(answers))]:
        raise ValueError("a completion begins and ends with the assistant, and every second message is its own")
    return Demonstration(
        environment=str(data["environment"]),
        level_id=str(data["level_id"]),
        split=str(data["split"]),
        step=int(data["step"]),
        thinking=bool(data["thinking"]),
        prompt=tuple(map(_message, data["prompt"])),
        completion=completion,
        unwanted=tuple(data.get("unwanted", ())),
        tools=tuple(Tool(**{**tool, "choices": tuple(tool["choices"])}) for tool in data.get("tools", ())),
        spec=data.get("spec"),
    )


def _message(data: Mapping[str, Any]) -> Message:
    role, content = data["role"], data["content"]
    if not isinstance(role, str) or not isinstance(content, str):
        raise TypeError(f"a message is a role and a text, got {data!r:.80}")
    return Message(role, content)  # type: ignore[arg-type]  # templates say which roles there are
