"""Downloads against a local server: resumed, checked, and unpacked inside their folder."""

import hashlib
import io
import time
import zipfile
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from agentgen_bench.data import download
from agentgen_bench.data.download import RemoteFile, fetch, unpack
from agentgen_bench.errors import DataError
from tests.full_disk import files_of_at_most

CONTENT = bytes(range(256)) * 2000


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; the first `breaks` answers stop in the middle."""

    def __init__(self, server_state, *args):
        self.state = server_state
        super().__init__(*args)

    def do_GET(self):
        self.state["ranges"].append(self.headers.get("Range"))
        if self.path != "/file.bin":
            self.send_error(404)
            return
        content, etag = self.state["content"], self.state["etag"]
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == etag:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if start >= len(content) or self.state["refuses"]:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        while self.state["drips"]:
            self.wfile.write(b"\0")
            time.sleep(0.01)
        end = len(content)
        if self.state["breaks"] > 0:
            self.state["breaks"] -= 1
            end = start + (len(content) - start) // 2
        self.wfile.write(content[start:end])
        self.close_connection = True

    def handle(self):
        with suppress(OSError):  # who asked went away
            super().handle()

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """Return the server's state, with its address under "url"."""
    state = {"content": CONTENT, "etag": '"v1"', "breaks": 0, "refuses": False, "drips": False, "ranges": []}
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, state))
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    state["url"] = f"http://127.0.0.1:{http.server_port}/file.bin"
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_server_that_drips_is_given_up_on(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PACE_S", 0.1)
    server["drips"] = True
    with pytest.raises(DataError, match=r"sent \d+ bytes in 0.1 seconds; 32768 are the least .* what arrived is kept"):
        fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None)
    assert len(server["ranges"]) == download.ATTEMPTS
    assert (tmp_path / "file.bin.part").stat().st_size > 0


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_a_file_arrives_whole(server, tmp_path):
    remote = RemoteFile(server["url"], sha256(CONTENT), len(CONTENT))
    assert remote.name == "file.bin"
    path = fetch(remote, tmp_path / "deep" / "file.bin", progress=None)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["file.bin"]


def test_a_broken_connection_is_taken_up_where_it_broke(server, tmp_path):
    server["breaks"] = 2
    path = fetch(RemoteFile(server["url"], sha256(CONTENT)), tmp_path / "file.bin", progress=None)
    assert path.read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server["ranges"][1:]]
    assert server["ranges"][0] is None
    assert 0 < starts[0] < starts[1] < len(CONTENT)


def test_a_second_run_goes_on_after_giving_up(server, tmp_path):
    server["breaks"] = 5
    with pytest.raises(DataError, match="what arrived is kept"):
        fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None)
    path = fetch(RemoteFile(server["url"], sha256(CONTENT)), tmp_path / "file.bin", progress=None)
    assert path.read_bytes() == CONTENT
    assert server["ranges"][5] is not None


def test_a_file_that_changed_meanwhile_starts_again(server, tmp_path):
    server["breaks"] = 5
    with pytest.raises(DataError, match="what arrived is kept"):
        fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None)
    server["content"], server["etag"] = CONTENT[::-1], '"v2"'
    assert fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None).read_bytes() == CONTENT[::-1]


def test_a_file_that_had_arrived_whole_is_not_fetched_again(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    (tmp_path / "file.bin.part.etag").write_text('"v1"')
    path = fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None)
    assert path.read_bytes() == CONTENT
    fetch(RemoteFile(server["url"]), path, progress=None)
    assert server["ranges"] == [f"bytes={len(CONTENT)}-"]


def test_a_server_that_refuses_every_range_is_named(server, tmp_path):
    server["refuses"] = True
    with pytest.raises(DataError, match=r"file\.bin: the server did not send all of the file in 5 attempts"):
        fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None)


def test_a_disk_that_fills_keeps_what_arrived_and_the_download_goes_on(server, tmp_path):
    with (
        files_of_at_most(100_000),
        pytest.raises(DataError, match=r"file\.bin\.part: File too large; what arrived is kept"),
    ):
        fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None)
    assert fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=None).read_bytes() == CONTENT
    assert server["ranges"][-1] is not None


def test_a_file_that_is_there_but_wrong_is_fetched_again(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"old")
    remote = RemoteFile(server["url"], sha256(CONTENT))
    assert fetch(remote, tmp_path / "file.bin", progress=None).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("remote", "message"),
    [
        ({"sha256": "0" * 64}, f"got {len(CONTENT)} bytes, SHA-256 {sha256(CONTENT)}; expected"),
        ({"size_bytes": 5}, "the server sends more than the 5 bytes expected"),
    ],
)
def test_a_wrong_file_is_refused_and_removed(server, tmp_path, remote, message):
    with pytest.raises(DataError, match=message):
        fetch(RemoteFile(server["url"], **remote), tmp_path / "file.bin", progress=None)
    assert not list(tmp_path.glob("file.bin"))


def test_a_missing_file_names_its_address(server, tmp_path):
    with pytest.raises(DataError, match=r"nothing\.zip: the server answered 404"):
        fetch(RemoteFile(server["url"].replace("file.bin", "nothing.zip")), tmp_path / "file.bin", progress=None)


def test_a_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/file"):
        fetch(RemoteFile("http://127.0.0.1:9/file"), tmp_path / "file.bin", progress=None)


def test_progress_is_drawn(server, tmp_path):
    drawn = io.StringIO()
    fetch(RemoteFile(server["url"]), tmp_path / "file.bin", progress=drawn)
    assert "file.bin: 100%" in drawn.getvalue()


def archive_of(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def test_an_archive_is_unpacked(tmp_path):
    archive = archive_of(tmp_path / "a.zip", {"one/two.txt": "2", "three.txt": "3"})
    files = unpack(archive, tmp_path / "out", progress=None)
    assert {str(file.relative_to(tmp_path / "out")): file.read_text() for file in files} == {
        "one/two.txt": "2",
        "three.txt": "3",
    }


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:evil.txt"])
def test_an_entry_outside_the_folder_is_refused_before_anything_is_written(tmp_path, name):
    archive = archive_of(tmp_path / "a.zip", {"good.txt": "good", name: "evil"})
    with pytest.raises(DataError, match="points outside the folder"):
        unpack(archive, tmp_path / "out", progress=None)
    assert not (tmp_path / "out").exists()


def test_a_link_in_an_archive_is_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    archive = archive_of(tmp_path / "a.zip", {link: "/etc/passwd"})
    with pytest.raises(DataError, match="is a link"):
        unpack(archive, tmp_path / "out", progress=None)


def test_a_link_on_disk_does_not_lead_out(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "one").symlink_to(tmp_path / "elsewhere")
    archive = archive_of(tmp_path / "a.zip", {"one/two.txt": "2"})
    with pytest.raises(DataError, match="through a link there"):
        unpack(archive, tmp_path / "out", progress=None)


@pytest.mark.parametrize("damage", [lambda raw: raw[:50], lambda raw: raw.replace(b"wholesome", b"unhealthy")])
def test_a_damaged_archive_is_refused(tmp_path, damage):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "wholesome")
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DataError, match="not a sound zip archive"):
        unpack(archive, tmp_path / "out", progress=None)
    assert not (tmp_path / "out" / "a.txt").exists()


@pytest.mark.parametrize("place", range(60, 300, 20))
def test_an_archive_with_a_wrong_byte_in_its_packed_data_is_refused(tmp_path, place):
    archive = archive_of(tmp_path / "a.zip", {"a.txt": "".join(f"{number} is wholesome\n" for number in range(900))})
    raw = bytearray(archive.read_bytes())
    raw[place] ^= 0xFF
    archive.write_bytes(raw)
    with pytest.raises(DataError, match="not a sound zip archive"):
        unpack(archive, tmp_path / "out", progress=None)
    assert not (tmp_path / "out" / "a.txt").exists()


def test_a_disk_that_fills_does_not_make_the_archive_a_damaged_one(tmp_path):
    archive = archive_of(tmp_path / "a.zip", {"a.txt": "0" * 100_000})
    with files_of_at_most(50_000), pytest.raises(DataError, match=r"cannot unpack .*a\.zip into .*out: File too large"):
        unpack(archive, tmp_path / "out", progress=None)
    unpack(archive, tmp_path / "out", progress=None)
    assert (tmp_path / "out" / "a.txt").stat().st_size == 100_000


def test_no_message_repeats_a_password_or_a_query(server, tmp_path):
    url = server["url"].replace("//", "//me:MADEUP@") + "?key=MADEUP"
    with pytest.raises(DataError, match=r"file\.bin: the server answered 404") as caught:
        fetch(RemoteFile(url), tmp_path / "x", None)
    assert "MADEUP" not in str(caught.value)
    with pytest.raises(DataError, match="run the same command to go on") as caught:
        fetch(RemoteFile("http://me:MADEUP@127.0.0.1:9/file.bin?key=MADEUP"), tmp_path / "y", None)
    assert "MADEUP" not in str(caught.value)
