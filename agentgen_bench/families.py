"""Families: what the package knows of each kind of environment, whether built in or brought by a plug-in.

A family is one `Family` record in its own folder. The built-in ones are `agentgen_bench.envs.<folder>:FAMILY`; an
installed package adds its own under the entry point group `agentgen_bench.families`. A record holds plain values and
names of objects (`module:attribute`), so that reading all of them imports no environment.
"""

import importlib
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from agentgen_bench.errors import SpecError, UnavailableError
from agentgen_bench.plugins import may_be_declared

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "agentgen_bench.families"
BUILT_IN = {
    "Sokoban": "agentgen_bench.envs.sokoban",
    "WebShop": "agentgen_bench.envs.webshop",
    "ALFWorld": "agentgen_bench.envs.alfworld",
    "SciWorld": "agentgen_bench.envs.sciworld",
}
# Never trained on, so that a model trained on all others still meets a world of another kind; in protocols only.
EVALUATION_ONLY = {"Blocks": "agentgen_bench.envs.blocks"}
DIFFICULTIES = ("easy", "medium", "hard")  # what every built-in family has, and the difficulty slope ranges over
DIFFICULTY_ORDER = ("paper", *DIFFICULTIES, "extreme")  # of a chart's axis; others come after, sorted
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class Version(NamedTuple):
    """A version of a family that can be made here: its number and the names of its environment classes."""

    number: int
    entry_point: str
    vector_entry_point: str | None = None


class Word(NamedTuple):
    """An action word or a button: what it is called, what may stand for it, and shorter forms the rules also take."""

    name: str
    synonyms: tuple[str, ...]
    shorthands: tuple[str, ...] = ()


ToolKind = Literal["choices", "words", "command"]


class ToolStyle(NamedTuple):
    """How a family's action templates become tools.

    `choices`: one tool whose parameter is one of the actions without holes (`move(direction)`); `words`: a tool for
    each word that templates in brackets begin with (`search(query)`, `click(element)`), its parameter the next of
    `parameters`; `command`: one tool that takes the whole command (`act(command)`), its description listing the
    templates. The note of a pack always has a tool of its own.
    """

    kind: ToolKind
    name: str = ""
    parameters: tuple[str, ...] = ()


COMMAND_TOOL = ToolStyle("command", "act", ("command",))


class PaperValues(NamedTuple):
    """What arXiv 2601.18217 prints for an environment: mean prompt characters, planning complexity (limit 50)."""

    prompt_chars: float
    planning_complexity: float


@dataclass(frozen=True, slots=True)
class Actions:
    """How a family's commands are written.

    `words` begin a command. `form` is "words" where what follows the word names things, joined by `connectives`
    (`put apple in box`), or "brackets" where it stands in brackets (`click[buy now]`). `buttons` are labels that the
    last word's brackets may hold, as the page writes them. `names_things` is false where commands name nothing.
    `menu_numbers` says that a bare number is an action too: it answers a menu.
    """

    words: tuple[Word, ...]
    buttons: tuple[Word, ...] = ()
    form: Literal["words", "brackets"] = "words"
    connectives: tuple[str, ...] = ()
    names_things: bool = True
    case_sensitive: bool = False
    menu_numbers: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of environment: what its ids make, and all that the package must know of it by name.

    Args:
        name: as in the ids, letters and digits only.
        versions: those that can be made here, side by side; the highest number is the current one.
        role: the first sentences of a prompt: who the agent is.
        actions: its commands.
        difficulties: from easiest to hardest; an ungraded one, such as a paper's setting, may stand last.
        contextual: the name of the `Style` of its contextual distractors; None where it has none.
        volumes: by preset of distractors, how much text its contextual distractors add.
        medium: what a glimpse of its states is called in another family's text: `a board of a puzzle game`.
        paper: what arXiv 2601.18217 measured; None where the paper has no such environment.
        retired: by version that is no longer here, the release that can make it: `agentgen-bench==0.1.0`.
        suites: the name of a package whose JSON files are frozen suites of this family.
        package: the distribution that brings it.
        tools: how its actions are called as functions.
        evaluation_only: whether trainers refuse it.
    """

    name: str
    versions: tuple[Version, ...]
    role: str
    actions: Actions
    difficulties: tuple[str, ...]
    contextual: str | None = None
    volumes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    medium: str | None = None
    paper: PaperValues | None = None
    retired: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    suites: str | None = None
    package: str = "agentgen-bench"
    tools: ToolStyle = COMMAND_TOOL
    evaluation_only: bool = False

    def __post_init__(self) -> None:
        """Raise SpecError for a name that no id can hold, or no version, or one twice."""
        if not _NAME.fullmatch(self.name):
            raise SpecError(f"a family cannot be called {self.name!r}; choose letters and digits, a letter first")
        numbers = [version.number for version in self.versions]
        if not numbers or len(set(numbers)) < len(numbers):
            raise SpecError(f"{self.name} has the versions {numbers}; give at least one, and each once")

    @property
    def current(self) -> int:
        """The number of the newest version."""
        return max(version.number for version in self.versions)

    def version(self, number: int) -> Version:
        """Return the version of that number; raises UnavailableError, naming the release that can make it."""
        for version in self.versions:
            if version.number == number:
                return version
        have = ", ".join(f"v{version.number}" for version in sorted(self.versions))
        where = f"{self.package} {_installed(self.package)}"
        raise UnavailableError(
            f"{self.name} v{number} cannot be made by {where}, which has {have}; {self._release_of(number)}"
        )

    def _release_of(self, number: int) -> str:
        if number in self.retired:
            return f"{self.retired[number]} can make it"
        age = "a newer" if number > self.current else "an older"
        return f"install {age} release of {self.package}"


class Broken(NamedTuple):
    """A plug-in that could not be loaded: its entry point, as `name = module:attribute`, and why."""

    plugin: str
    reason: str


def names() -> list[str]:
    """Return the names of all families that are here, the built-in ones first."""
    return list(_found().families)


def family(name: str) -> Family:
    """Return the family of that name; raises UnavailableError where it is not here, naming plug-ins that are broken."""
    families, broken = _found()
    if name in families:
        return families[name]
    hint = "".join([f"; the plug-in {each.plugin} is broken: {each.reason}" for each in broken])
    raise UnavailableError(
        f"unknown family {name!r}; choose one of: {', '.join(families)}, or install its package{hint}"
    )


def is_known(name: str) -> bool:
    """Return whether the family is here."""
    return name in _found().families


def broken_plugins() -> tuple[Broken, ...]:
    """Return the plug-ins that could not be loaded."""
    return _found().broken


def load(name: str) -> Any:
    """Return the object that a record names as `module:attribute`."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


class _Found(NamedTuple):
    families: Mapping[str, Family]
    broken: tuple[Broken, ...]


@cache
def _found() -> _Found:
    families = {name: _checked(load(f"{module}:FAMILY")) for name, module in (BUILT_IN | EVALUATION_ONLY).items()}
    broken = []
    for point in _entry_points() if may_be_declared(GROUP) else ():
        try:
            loaded = _checked(point.load())
            _check_name_is_free(loaded.name, families)
            if loaded.suites is not None:
                importlib.import_module(loaded.suites)
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises is its own failure, and named
            broken.append(Broken(_described(point), _reason(point, error)))
            warnings.warn(
                f"the plug-in {broken[-1].plugin} is left out: {broken[-1].reason}", RuntimeWarning, stacklevel=2
            )
        else:
            families[loaded.name] = loaded
    return _Found(MappingProxyType(families), tuple(broken))


def _entry_points() -> "list[EntryPoint]":
    from importlib.metadata import entry_points

    return sorted(entry_points(group=GROUP))


def _installed(package: str) -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed_version

    try:
        return installed_version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _reason(point: "EntryPoint", error: Exception) -> str:
    spec = getattr(sys.modules.get(point.module), "__spec__", None)
    early = getattr(spec, "_initializing", False)  # the plug-in was imported first, and now waits for us
    hint = f"; let {point.module.partition('.')[0]}/__init__.py begin with `import agentgen_bench`" if early else ""
    return f"{type(error).__name__}: {error}{hint}"


def _checked(loaded: Any) -> Family:
    if not isinstance(loaded, Family):
        raise SpecError(f"a family is a Family record, got {type(loaded).__name__}")
    return loaded


def _check_name_is_free(name: str, taken: Iterator[str] | Mapping[str, Family]) -> None:
    others = [other for other in taken if other.lower() == name.lower()]  # level ids and files use lower case
    if others:
        raise SpecError(f"the family {name!r} is here already as {others[0]!r}; choose another name")


def _described(point: "EntryPoint") -> str:
    package = "" if point.dist is None else f" of {point.dist.name} {point.dist.version}"
    return f"'{point.name} = {point.value}'{package}"
