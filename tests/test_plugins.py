"""Whether plug-ins are there is known without importlib.metadata, and no plug-in is missed."""

import subprocess
import sys
import zipfile
from importlib.machinery import PathFinder
from importlib.metadata import entry_points

import pytest

from agentgen_bench.plugins import may_be_declared

GROUP = "agentgen_bench.some_group"
DECLARED = f"[console_scripts]\nx = y:z\n\n[{GROUP}]\nname = module:attribute\n"
METADATA = "Metadata-Version: 2.1\nName: one\nVersion: 1\n"


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Return a folder that is the whole path, with no finders but Python's own."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    return tmp_path


def record(place, text):
    place.mkdir(parents=True)
    (place / ("PKG-INFO" if place.suffix == ".egg-info" else "METADATA")).write_text(METADATA)
    (place / "entry_points.txt").write_text(text)


@pytest.mark.parametrize("suffix", [".dist-info", ".egg-info"])
def test_a_package_that_declares_one_is_seen(path, suffix):
    record(path / f"one-1{suffix}", DECLARED)
    assert may_be_declared(GROUP)
    assert [point.value for point in entry_points(group=GROUP)] == ["module:attribute"]


def test_other_groups_and_files_that_are_none_are_not(path):
    record(path / "one-1.dist-info", DECLARED.replace(GROUP, f"{GROUP}s"))
    (path / "two-1.dist-info").mkdir()
    (path / "three-1.egg-info").write_text(METADATA)
    assert not may_be_declared(GROUP)
    assert not list(entry_points(group=GROUP))


def test_a_place_that_is_not_there_holds_none(path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(path / "nowhere")])
    assert not may_be_declared(GROUP)


def test_the_working_directory_is_looked_at_where_the_path_names_it(path, monkeypatch):
    record(path / "one-1.dist-info", DECLARED)
    monkeypatch.chdir(path)
    monkeypatch.setattr(sys, "path", [""])
    assert may_be_declared(GROUP)


def test_a_zip_on_the_path_may_hold_one(path, monkeypatch):
    with zipfile.ZipFile(path / "all.zip", "w") as packed:
        packed.writestr("one-1.dist-info/METADATA", METADATA)
        packed.writestr("one-1.dist-info/entry_points.txt", DECLARED)
    monkeypatch.setattr(sys, "path", [str(path / "all.zip")])
    assert may_be_declared(GROUP)
    assert [point.name for point in entry_points(group=GROUP)] == ["name"]


def test_an_egg_on_the_path_may_hold_one(path, monkeypatch):
    record(path / "one-1.egg" / "EGG-INFO", DECLARED)
    monkeypatch.setattr(sys, "path", [str(path / "one-1.egg")])
    assert may_be_declared(GROUP)


def test_another_finder_of_distributions_may_know_one(path, monkeypatch):
    class Finder:
        find_distributions = None

    monkeypatch.setattr(sys, "meta_path", [PathFinder, Finder])
    assert may_be_declared(GROUP)


def test_importing_the_package_reads_no_metadata_where_nothing_is_declared(tmp_path):
    program = "import sys, agentgen_bench; print('importlib.metadata' in sys.modules, agentgen_bench.plugins.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    declared = bool(list(entry_points(group="agentgen_bench.families")))
    assert done.stdout == f"{declared} agentgen_bench.plugins\n", done.stderr
