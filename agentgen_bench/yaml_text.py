"""YAML that people write by hand, such as a study: plain values, each key once, mistakes in a line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from agentgen_bench.errors import AgentGenError


def study_text(path: Path, error: type[AgentGenError]) -> str:
    """Return the text of a study's file; raises an `error` where it cannot be read, or is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise error(f"cannot read the study {path}: {getattr(fault, 'strerror', fault)}") from None


def plain_values(text: str, where: str, right: str, error: type[AgentGenError]) -> Any:
    """Return the plain values that a YAML text holds.

    Args:
        text: the text.
        where: names it in errors.
        right: what it needs, said of one that is nested too deeply to be read.
        error: what is raised.

    Raises:
        AgentGenError: it is no YAML, is nested too deeply, or has a key twice, of which YAML's readers take the last.
            It is an `error`.
    """
    try:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            twice = next(filter(None, map(key_twice, nodes(root))), None)
            values = None if root is None or twice is not None else loader.construct_document(root)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError) as fault:  # ValueError: a date that there is not, such as 2026-02-30
        raise error(f"{where} is not YAML: {' '.join(str(fault).split())}") from None
    except RecursionError:
        raise error(f"{where} is nested too deeply to be read; {right}") from None
    if twice is not None:
        line = twice.start_mark.line + 1
        raise error(f"{where}, line {line}: the key {twice.value[:60]!r} is there twice; leave one out")
    return values


def nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """Yield the nodes of a composed YAML text, each once: an alias is the node that it stands for."""
    waiting: list[yaml.Node] = [] if root is None else [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)


def key_twice(node: yaml.Node) -> yaml.ScalarNode | None:
    """Return the first key that a mapping holds for the second time; None where each is there once."""
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                return key
            seen.add((key.tag, key.value))
    return None
