"""A folder has one writer at a time: others are told, or wait, and whole files are whole whoever writes beside them."""

import multiprocessing
import signal
import subprocess
import sys
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from agentgen_bench.errors import RunError
from agentgen_bench.evaluation.folder import write_text
from agentgen_bench.evaluation.locks import lock_folder

HOLD = """
import sys, time
from pathlib import Path
from agentgen_bench.evaluation.locks import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_and_comes_in_when_the_first_has_left(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        with pytest.raises(RunError, match=r"another process is writing to .*; wait for it or choose another --output"):
            lock_folder(tmp_path)
        assert list(tmp_path.iterdir()) == []
    lock_folder(tmp_path).close()


def test_whoever_waits_says_so_once_and_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    is_waiting, is_through = threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        is_waiting.set()

    def second() -> None:
        with lock_folder(tmp_path, say):
            is_through.set()

    with lock_folder(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        assert is_waiting.wait(30)
        assert not is_through.is_set()
    thread.join(30)
    assert is_through.is_set()
    assert said == [f"waiting for another process that writes to {tmp_path}"]


def test_a_killed_writer_leaves_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="another process"):
            lock_folder(tmp_path)
        holder.send_signal(signal.SIGKILL)
    lock_folder(tmp_path).close()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot open .*nowhere: No such file or directory"):
        lock_folder(tmp_path / "nowhere")


def _write_often(path: Path, text: str, ready: Barrier) -> None:
    ready.wait()
    for _ in range(200):
        write_text(path, text)


def test_processes_that_write_one_file_do_not_stop_each_other_and_it_is_always_whole(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    texts = [letter * 10_000 for letter in "ab"]
    ready = context.Barrier(3)
    writers = [context.Process(target=_write_often, args=(tmp_path / "file", text, ready)) for text in texts]
    for writer in writers:
        writer.start()
    ready.wait(60)
    while any(writer.is_alive() for writer in writers):
        if (tmp_path / "file").exists():
            assert (tmp_path / "file").read_text() in texts
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
