"""SHA-256 of downloads, against a local server: given, recorded by the first download, and held against the next."""

import hashlib
import json

import pytest

from agentgen_bench.cli import main
from agentgen_bench.data.digests import parsed, record, recorded
from agentgen_bench.data.download import RemoteFile, fetch_checked
from agentgen_bench.data.webshop import SETS
from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.evaluation.locks import lock_folder
from tests.data.serve import served


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def url(tmp_path):
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / "a.json").write_bytes(b"first")
    with served(tmp_path / "remote") as address:
        yield f"{address}/a.json"


def fetched(url, tmp_path, given=(), check=lambda path: None):
    return fetch_checked(RemoteFile(url), tmp_path / "here" / "a.json", dict(given), check, progress=None)


def test_the_first_download_is_recorded_as_sha256sum_writes_it(url, tmp_path):
    assert fetched(url, tmp_path) == digest(b"first")
    assert (tmp_path / "here" / "SHA256SUMS").read_text() == f"{digest(b'first')}  a.json\n"


def test_a_later_download_that_differs_is_refused(url, tmp_path):
    fetched(url, tmp_path)
    (tmp_path / "remote" / "a.json").write_bytes(b"other")
    (tmp_path / "here" / "a.json").unlink()
    with pytest.raises(
        DataError, match=r"An earlier download recorded that digest in .*SHA256SUMS; if the file"
    ) as why:
        fetched(url, tmp_path)
    assert digest(b"other") in str(why.value)
    assert digest(b"first") in str(why.value)
    assert not (tmp_path / "here" / "a.json").exists()


def test_a_file_changed_on_disk_is_fetched_again(url, tmp_path):
    fetched(url, tmp_path)
    (tmp_path / "here" / "a.json").write_bytes(b"tampered with")
    fetched(url, tmp_path)
    assert (tmp_path / "here" / "a.json").read_bytes() == b"first"


def test_a_given_digest_counts_before_a_recorded_one(url, tmp_path):
    fetched(url, tmp_path)
    (tmp_path / "remote" / "a.json").write_bytes(b"other")
    assert fetched(url, tmp_path, {"a.json": digest(b"other")}.items()) == digest(b"other")
    assert recorded(tmp_path / "here") == {"a.json": digest(b"other")}
    with pytest.raises(DataError, match=r"It was removed; download it again$"):
        fetched(url, tmp_path, {"a.json": digest(b"neither")}.items())


def test_what_is_no_data_is_not_recorded(url, tmp_path):
    def refuse(path):
        raise DataError("a page that asks to log in")

    with pytest.raises(DataError, match="log in"):
        fetched(url, tmp_path, check=refuse)
    assert recorded(tmp_path / "here") == {}


def test_a_download_is_alone_in_its_folder(url, tmp_path):
    def look(path):
        with pytest.raises(RunError, match="another process is writing to"):
            lock_folder(path.parent)

    fetched(url, tmp_path, check=look)
    lock_folder(tmp_path / "here").close()


def test_a_record_keeps_its_other_lines(tmp_path):
    record(tmp_path, "b", digest(b"b"))
    record(tmp_path, "a", digest(b"a"))
    record(tmp_path, "b", digest(b"c"))
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest(b'a')}  a\n{digest(b'c')}  b\n"
    (tmp_path / "SHA256SUMS").write_text("hello\n")
    with pytest.raises(DataError, match="line 1: 'hello' is not 64 hex digits"):
        recorded(tmp_path)
    (tmp_path / "SHA256SUMS").write_bytes(b"\xff\n")
    with pytest.raises(DataError, match="line 1: '\ufffd' is not 64 hex digits"):
        recorded(tmp_path)


@pytest.mark.parametrize("pair", ["a.json", "a.json=12", f"b.json={'0' * 64}", f"a.json={'g' * 64}"])
def test_a_digest_is_64_hex_digits_of_a_known_file(pair):
    with pytest.raises(SpecError, match=r"is not NAME=HEX with 64 hex digits and one of: a\.json"):
        parsed([pair], {"a.json": 1})
    assert parsed([f"a.json={'A' * 64}"], {"a.json": 1}) == {"a.json": "a" * 64}


def test_the_verb_prints_digests_and_refuses_others(tmp_path, capsys):
    remote = tmp_path / "remote"
    remote.mkdir()
    for name, _ in SETS["small"]:
        (remote / name).write_text(json.dumps([{"a": 1}] if name.startswith("items_shuffle") else {"a": [1]}))
    name = SETS["small"][0][0]
    with served(remote) as address:
        command = ["data", "webshop", "--folder", str(tmp_path / "here"), "--url", address, "--quiet"]
        assert main([*command, "--sha256", f"{name}={'0' * 64}"]) == 1
        assert "expected any number of bytes, SHA-256 0000" in capsys.readouterr().err
        assert main(command) == 0
    assert f"sha256 {digest((remote / name).read_bytes())}" in capsys.readouterr().out
