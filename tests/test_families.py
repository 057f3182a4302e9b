"""Families: one record each, found in its folder or through an entry point."""

import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from agentgen_bench import families
from agentgen_bench.errors import SpecError
from agentgen_bench.families import BUILT_IN, EVALUATION_ONLY, Actions, Family, Version, Word

OTHER = Family(
    name="Other",
    versions=(Version(2, "other:Env"), Version(0, "other:OldEnv")),
    role="You do something else.",
    actions=Actions((Word("do", ("perform",)),)),
    difficulties=("easy",),
)


@pytest.fixture
def plugins(monkeypatch):
    """Return a function that puts objects behind entry points, `name -> object`; all is as before afterwards."""

    def install(**objects):
        module = ModuleType("some_plugins")
        vars(module).update(objects)
        monkeypatch.setitem(sys.modules, "some_plugins", module)
        points = [EntryPoint(name, f"some_plugins:{name}", families.GROUP) for name in objects]
        points.append(EntryPoint("Absent", "no_such_package:FAMILY", families.GROUP))
        monkeypatch.setattr(families, "_entry_points", lambda: points)
        monkeypatch.setattr(families, "may_be_declared", lambda group: True)
        families._found.cache_clear()

    yield install
    monkeypatch.undo()
    families._found.cache_clear()


@pytest.mark.parametrize("name", [*BUILT_IN, *EVALUATION_ONLY])
def test_a_built_in_family_is_the_record_of_its_folder(name):
    record = families.family(name)
    assert record.name == name
    for version in record.versions:
        env = families.load(version.entry_point)
        assert env.family == name
        assert env.difficulties == record.difficulties
        assert version.vector_entry_point is None or families.load(version.vector_entry_point)


@pytest.mark.parametrize("name", [*BUILT_IN, *EVALUATION_ONLY])
def test_every_family_words_its_task_in_the_same_place(name):
    assert callable(families.load(f"agentgen_bench.envs.{name.lower()}.text:task"))


def test_the_built_in_families_come_first_and_in_their_order():
    assert families.names()[:4] == ["Sokoban", "WebShop", "ALFWorld", "SciWorld"]


def test_a_plugin_adds_its_family(plugins):
    plugins(Other=OTHER)
    with pytest.warns(RuntimeWarning, match="'Absent = no_such_package:FAMILY' is left out: ModuleNotFoundError"):
        found = families.family("Other")
    assert found is OTHER
    assert families.family("Other").current == 2


@pytest.mark.parametrize(
    ("loaded", "reason"),
    [
        ("no record", "SpecError: a family is a Family record, got str"),
        (
            replace(OTHER, name="Third", suites="no_such_package"),
            "ModuleNotFoundError: No module named 'no_such_package'",
        ),
        (families.family("Sokoban"), "SpecError: the family 'Sokoban' is here already as 'Sokoban'"),
    ],
)
def test_a_broken_plugin_is_named_and_stops_no_other(plugins, loaded, reason):
    plugins(Another=loaded, Other=OTHER)
    with pytest.warns(RuntimeWarning, match="is left out"):
        found = families.names()
    assert found == [*BUILT_IN, *EVALUATION_ONLY, "Other"]
    broken = {each.plugin: each.reason for each in families.broken_plugins()}
    assert broken["'Another = some_plugins:Another'"].startswith(reason)
    with pytest.raises(SpecError, match=r"unknown family 'Fourth'; .* the plug-in 'Another = .*' is broken: "):
        families.family("Fourth")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "my-family"}, "a family cannot be called 'my-family'; choose letters and digits"),
        ({"versions": ()}, r"Other has the versions \[\]; give at least one, and each once"),
        ({"versions": (Version(1, "a:B"), Version(1, "a:C"))}, r"Other has the versions \[1, 1\]"),
    ],
)
def test_a_record_that_cannot_be_registered_is_refused(changes, message):
    settings = {name: getattr(OTHER, name) for name in ("name", "versions", "role", "actions", "difficulties")}
    with pytest.raises(SpecError, match=message):
        Family(**{**settings, **changes})
