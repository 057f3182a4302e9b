"""Which settings show the same levels, and on which level an episode failed that could not begin.

An episode whose environment could not be made or reset shows no level. It is a failure on one all the same: the level
of its seed, which other episodes of that seed show. Without it such a failure would pair with nothing, and drop out of
every comparison.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.knobs import CONTEXTS, PACK_DEFAULTS, PACKS

# Knobs that leave the level alone: settings may be paired across them.
VIEWS = ("richness", "distractors", "interface", "faults")


class PackKind(NamedTuple):
    """What a setting says of its packs, as far as scores tell them apart."""

    context: str  # one of `knobs.CONTEXTS`
    strategy: str  # one of `knobs.STRATEGIES`
    but_context: str  # all that is said but the context, as canonical JSON: twins differ in the context alone


def pack_of(spec: Mapping[str, Any]) -> PackKind:
    """Return what a setting in JSON form says of its packs, defaults included.

    A preset that is not known here stands for itself, but for the context, which presets are named by.
    """
    pack = spec["lifecycle"]
    if not isinstance(pack, Mapping):
        name, _, context = str(pack).rpartition("-")
        unknown = {"preset": name, "context": context} if context in CONTEXTS else {"preset": pack}
        pack = PACKS.get(str(pack), unknown)
    said = {**PACK_DEFAULTS, **pack}
    return PackKind(said.pop("context"), said["strategy"], canonical_json(said))


def but_context(spec: Mapping[str, Any]) -> str:
    """Return a setting of packs without its context, as canonical JSON; twins give the same."""
    return canonical_json({**spec, "lifecycle": pack_of(spec).but_context})


def but_views(spec: Mapping[str, Any], across: Sequence[str] = VIEWS) -> str:
    """Return a setting without these of `VIEWS`, as canonical JSON; settings that differ in nothing else give the same.

    Examples:
        >>> but_views({"env_id": "AgentGen/Sokoban-rich-v0", "split": "test"})
        '{"env_id":"AgentGen/Sokoban-v0","split":"test"}'
    """
    kept = {name: value for name, value in spec.items() if name not in across}
    if "richness" in across:
        family, _, version = str(spec["env_id"]).rpartition("-")
        kept["env_id"] = f"{family.partition('-')[0]}-{version}"
    return canonical_json(kept)


def with_levels(runs: Iterable[Iterable[Episode]]) -> list[list[Episode]]:
    """Return the runs; an episode that could not begin has the level of its seed where another episode shows that.

    Asked are the episodes of the same run, then those of the others: of the same setting, of another view of it
    (`VIEWS`), of the same packs with another context. Where none shows it, `level_id` stays "".
    """
    played = [list(run) for run in runs]
    if all(episode.level_id for run in played for episode in run):
        return played
    shown = [{_place(episode): episode.level_id for episode in run if episode.level_id} for run in played]
    return [
        [one if one.level_id else _on_level(one, ChainMap(levels, *shown)) for one in run]
        for run, levels in zip(played, shown, strict=True)
    ]


def _on_level(episode: Episode, levels: Mapping[tuple[str, int], str]) -> Episode:
    return replace(episode, level_id=levels.get(_place(episode), ""))


def _place(episode: Episode) -> tuple[str, int]:
    """Return what episodes on one level have in common; the level of packs is another under another interface."""
    spec = episode.spec
    return (but_context(spec) if "lifecycle" in spec else but_views(spec)), episode.seed
