"""What the policy could read at each step of a recorded episode."""

from collections.abc import Iterator

from agentgen_bench.contract import Part
from agentgen_bench.episodes import Episode
from agentgen_bench.prompts import History, Turn
from agentgen_bench.scores.base import family
from agentgen_bench.text import render


def histories(episode: Episode) -> Iterator[History]:
    """Yield the history behind each step of the record, its key left empty.

    There are none where the record holds no texts, or does not say where its tasks begin.
    """
    if episode.first_sections is None or episode.first_commands is None or not episode.tasks:
        return
    parts = {part.start: part for part in episode.parts}
    starts = {task.start for task in episode.tasks} | parts.keys()
    part = Part(0, episode.task, episode.max_steps)
    sections, commands = episode.first_sections, episode.first_commands
    turns: tuple[Turn, ...] = ()
    for number, step in enumerate(episode.steps):
        part = parts.get(number, part)
        observation = render(sections)
        yield History(
            key=(),
            family=family(episode.spec),
            task=part.task,
            step=number + 1 - part.start,
            max_steps=part.max_steps,
            observation=observation,
            turns=turns,
            admissible_commands=commands,
            action_templates=episode.action_templates,
            context=part.context,
            context_chars=part.context_chars,
        )
        after = step.sections or ()
        turns = () if number + 1 in starts else (*turns, Turn(observation, step.action, step.completion, commands))
        sections, commands = after, step.admissible_commands or ()
