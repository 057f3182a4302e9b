"""agentgen-bench data webshop, against a local server."""

import json

import pytest

from agentgen_bench import make
from agentgen_bench.cli import main
from agentgen_bench.data.webshop import SETS, download_webshop
from agentgen_bench.envs.webshop.generate import GeneratedSource, raw_records
from agentgen_bench.envs.webshop.settings import PRESETS
from agentgen_bench.errors import DataError
from tests.data.serve import served


@pytest.fixture
def mirror(tmp_path):
    """Yield the address of a server that has the small set's files, with 30 products."""
    place = tmp_path / "mirror"
    place.mkdir()
    records = list(raw_records(GeneratedSource("train", PRESETS["easy"], 30), []))
    annotations = {
        raw["asin"]: {**entry, "instruction": "Find me it", "instruction_attributes": entry["attributes"][:1]}
        for raw, entry in records
    }
    contents = ([raw for raw, _ in records], annotations, {})
    for (name, _), content in zip(SETS["small"], contents, strict=True):
        (place / name).write_text(json.dumps(content or {"B0": []}))
    with served(place) as url:
        yield url


def test_the_verb_downloads_a_set_that_the_environment_takes(mirror, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AGENTGEN_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    assert main(["data", "webshop", "--folder", str(folder), "--url", mirror, "--quiet"]) == 0
    assert "items_shuffle_1000.json" in capsys.readouterr().out
    _, info = make("AgentGen/WebShop-base-v0", difficulty="paper", data=str(folder)).reset(seed=0)
    assert info["task"].startswith("Find me it")


def test_files_that_are_there_are_not_fetched_again(mirror, tmp_path):
    folder = tmp_path / "data"
    first = download_webshop(folder, base_url=mirror, progress=None)
    before = [file.path.stat().st_mtime_ns for file in first]
    assert download_webshop(folder, base_url=mirror, progress=None) == first
    assert [file.path.stat().st_mtime_ns for file in first] == before


def test_a_page_instead_of_the_data_is_refused_and_removed(tmp_path):
    place = tmp_path / "mirror"
    place.mkdir()
    (place / "items_shuffle_1000.json").write_text("<html>please log in</html>")
    with served(place) as url, pytest.raises(DataError, match="gave no data set"):
        download_webshop(tmp_path / "data", base_url=url, progress=None)
    assert list((tmp_path / "data").iterdir()) == []


def test_one_file_under_the_name_of_another_is_refused(tmp_path):
    place = tmp_path / "mirror"
    place.mkdir()
    (place / "items_shuffle_1000.json").write_text('{"B0": {}}')
    with served(place) as url, pytest.raises(DataError, match=r"something else than items_shuffle_1000.json"):
        download_webshop(tmp_path / "data", base_url=url, progress=None)
