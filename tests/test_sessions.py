"""When, how long, on what and from which commit a run was played: recorded, and no part of what decides its bytes."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from agentgen_bench.errors import DataError
from agentgen_bench.evaluation import machine
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.spec import TaskSpec

PLAN = single_plan([TaskSpec("Sokoban", richness="lean", split="test")], 3)


def run(path, **options):
    return evaluate(PLAN, RandomPolicy(), PromptConfig(), path, **options)


def manifest(path):
    return json.loads((path / "manifest.json").read_text())


def cut_after(path, n_episodes):
    """Play n episodes, then interrupt."""
    played = []

    def interrupt(episode):
        played.append(episode)
        if len(played) == n_episodes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, on_episode=interrupt)


def without_sessions(path):
    """The manifest as versions of before wrote it."""
    found = manifest(path)
    del found["sessions"]
    (path / "manifest.json").write_text(json.dumps(found))


def test_a_run_says_when_how_long_on_what_and_from_which_commit(tmp_path):
    made = run(tmp_path / "run")["made"]
    (session,) = manifest(tmp_path / "run")["sessions"]
    assert made["started"] == session["started"]
    assert made["seconds"] == session["seconds"]
    assert made["hardware"] == [session["hardware"]]
    assert session["hardware"]["cores"] == len(os.sched_getaffinity(0))
    assert made["commits"] == [session["commit"]] * (session["commit"] is not None)


def test_each_session_of_a_run_is_recorded_and_the_results_sum_them_up(tmp_path):
    cut_after(tmp_path / "run", 1)
    assert len(manifest(tmp_path / "run")["sessions"]) == 1
    made = run(tmp_path / "run", resume=True)["made"]
    sessions = manifest(tmp_path / "run")["sessions"]
    assert made["sessions"] == len(sessions) == 2
    assert made["seconds"] == pytest.approx(sum(session["seconds"] for session in sessions))


def test_a_resume_that_plays_nothing_is_no_session(tmp_path):
    before = run(tmp_path / "run")["made"]
    assert run(tmp_path / "run", resume=True)["made"] == before
    assert len(manifest(tmp_path / "run")["sessions"]) == 1


def test_another_machine_and_commit_do_not_hinder_a_resume(tmp_path, monkeypatch):
    cut_after(tmp_path / "run", 1)
    other = machine.Hardware("another", ("sve",), 4, ("one card",))
    monkeypatch.setattr("agentgen_bench.evaluation.sessions.hardware", lambda: other)
    monkeypatch.setattr("agentgen_bench.evaluation.sessions.commit", lambda: "0" * 40)
    made = run(tmp_path / "run", resume=True)["made"]
    assert made["hardware"][1] == {"cpu": "another", "instructions": ["sve"], "cores": 4, "gpus": ["one card"]}
    assert made["commits"][-1] == "0" * 40


def test_a_run_of_before_is_read_and_resumed_without_a_claim_about_its_first_part(tmp_path):
    cut_after(tmp_path / "run", 1)
    without_sessions(tmp_path / "run")
    assert len(read_run(tmp_path / "run").episodes) == 1
    assert run(tmp_path / "run", resume=True)["made"] is None
    assert "sessions" not in manifest(tmp_path / "run")


@pytest.mark.parametrize(
    "damage", [{"started": 3}, {"seconds": -1}, {"seconds": 1e99}, {"hardware": {"gpus": 1}}, {"commit": 1}]
)
def test_damaged_sessions_are_refused_before_a_resume_plays(tmp_path, damage):
    cut_after(tmp_path / "run", 1)
    found = manifest(tmp_path / "run")
    found["sessions"][0] |= damage
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(found))
    with pytest.raises(DataError, match="sessions are not a list of records of started, seconds, hardware, commit"):
        run(tmp_path / "run", resume=True)


def test_the_commit_is_that_of_our_clone_and_of_no_other(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    subprocess.run([*git[:3], "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "of somebody else"], check=True)
    monkeypatch.setattr(machine, "PACKAGE", package)
    monkeypatch.setattr(machine, "_installed_commit", lambda: "installed")
    assert machine.commit.__wrapped__() == "installed"
    subprocess.run([*git[:3], "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "ours"], check=True)
    head = subprocess.run([*git[:3], "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert machine.commit.__wrapped__() == head
    (package / "__init__.py").write_text("changed")
    assert machine.commit.__wrapped__() == f"{head}-dirty"


def test_a_processor_is_read_from_what_linux_tells(tmp_path, monkeypatch):
    told = tmp_path / "cpuinfo"
    told.write_text(
        "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 ht avx\n"
    )
    monkeypatch.setattr(machine, "CPU_INFO", told)
    assert machine._cpu() == ("AMD EPYC (family 25, model 17)", ("avx", "avx2"))


def test_graphics_cards_are_those_that_the_process_may_use(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, GPU-a, NVIDIA H100 80GB HBM3'\necho '1, GPU-b, NVIDIA H200'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert machine._gpus() == ("NVIDIA H100 80GB HBM3", "NVIDIA H200")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    assert machine._gpus() == ("NVIDIA H200",)


def test_a_machine_that_tells_nothing_is_none_of_our_errors(monkeypatch):
    monkeypatch.setattr(machine, "CPU_INFO", Path("/nowhere"))
    monkeypatch.setenv("PATH", "")
    assert machine.hardware.__wrapped__().gpus == ()
    assert machine.commit.__wrapped__() is None or isinstance(machine.commit.__wrapped__(), str)
