"""`submit --pr` leaves a branch that the check of pull requests accepts, and otherwise leaves the clone as it was."""

import subprocess
from pathlib import Path

import pytest

from agentgen_bench.cli import main
from agentgen_bench.leaderboard.markdown import BEGIN, END
from agentgen_bench.leaderboard.pull_request import problems

BRANCH = "entry-tiny-v1-20260131_Some-Lab__mine"
CLAIMS = ["--org", "Some Lab", "--model", "mine", "--date", "2026-01-31", "--workers", "1", "--pr"]


def git(where: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", where, *words], check=True, capture_output=True, text=True).stdout.strip()


def state(clone: Path) -> tuple[str, ...]:
    """Everything about a clone that a user would notice."""
    listed = ("status", "--porcelain"), ("branch", "-a", "-v"), ("worktree", "list"), ("log", "-1", "--format=%H")
    return tuple(git(clone, *words) for words in listed)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The repository of the project: leaderboards without an entry, on main."""
    path = tmp_path / "project"
    (path / "leaderboards").mkdir(parents=True)
    (path / "leaderboards" / "README.md").write_text(f"# Leaderboards\n\n{BEGIN}\nNo entries yet.\n{END}\n")
    git(tmp_path, "init", "-q", "-b", "main", str(path))
    named(path)
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "first")
    return path


def named(repository: Path) -> None:
    git(repository, "config", "user.name", "Somebody")
    git(repository, "config", "user.email", "somebody@example.org")


@pytest.fixture
def clone(project: Path, tmp_path: Path, suite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of it, with the current folder at its top."""
    path = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(project), str(path))
    named(path)
    monkeypatch.chdir(path)
    for module in ("submit", "verify"):
        monkeypatch.setattr(f"agentgen_bench.leaderboard.{module}.load_suite", lambda name: suite)
    return path


def test_git_push_is_all_that_is_left(clone, project, run_path, tmp_path, capsys):
    before = state(clone)
    assert main(["submit", str(run_path), *CLAIMS]) == 0
    said = capsys.readouterr()
    after = state(clone)
    assert (after[0], after[2:]) == (before[0], before[2:])  # the checkout, its work trees and its commit
    assert f"  git push -u origin {BRANCH}" in said.err
    git(clone, "push", "-q", "-u", "origin", BRANCH)
    git(tmp_path, "clone", "-q", "-b", BRANCH, str(project), "merged")
    merged = tmp_path / "merged"
    changed = git(merged, "diff", "--name-only", "origin/main", BRANCH).splitlines()
    folder = "leaderboards/tiny-v1/20260131_Some-Lab__mine"
    files = ("README.md", "episodes.jsonl.gz", "metadata.yaml", "results.json")
    assert changed == ["leaderboards/README.md", "leaderboards/audit.jsonl", *(f"{folder}/{name}" for name in files)]
    found = problems(project / "leaderboards", merged / "leaderboards", changed=changed, workers=1)
    assert list(found) == []
    assert git(merged, "log", "-1", "--format=%B") == said.out.strip()
    assert said.out.startswith("tiny-v1: mine by Some Lab\n\n- entry: `leaderboards/tiny-v1/20260131_Some-Lab__mine`")
    assert git(merged, "rev-list", "--count", "origin/main..HEAD") == "1"


@pytest.mark.usefixtures("small_protocol_shipped")
def test_a_study_goes_the_same_way(clone, project, made_study, tmp_path, capsys):
    before = state(clone)
    claims = [word.replace("2026-01-31", "2026-11-28") for word in CLAIMS]  # the protocol's first day
    assert main(["submit", str(made_study), *claims]) == 0
    said = capsys.readouterr()
    after = state(clone)
    assert (after[0], after[2:]) == (before[0], before[2:])
    branch = "entry-transfer-smoke-20261128_Some-Lab__mine"
    assert f"  git push -u origin {branch}" in said.err
    git(clone, "push", "-q", "-u", "origin", branch)
    git(tmp_path, "clone", "-q", "-b", branch, str(project), "merged")
    merged = tmp_path / "merged"
    changed = git(merged, "diff", "--name-only", "origin/main", branch).splitlines()
    folder = "leaderboards/transfer-smoke/20261128_Some-Lab__mine"
    runs = ["initial", *(f"{name}-seed-{i}" for name in ("noisy-sokoban", "on-alfworld", "on-sokoban") for i in (0, 1))]
    files = [*(f"episodes-{run}.jsonl.gz" for run in runs), "metadata.yaml", "scores.json", "training.jsonl.gz"]
    assert set(changed) == {
        "leaderboards/README.md", "leaderboards/audit.jsonl", *(f"{folder}/{name}" for name in ("README.md", *files))
    }  # fmt: skip
    assert list(problems(project / "leaderboards", merged / "leaderboards", changed=changed, workers=1)) == []
    assert git(merged, "log", "-1", "--format=%B") == said.out.strip()
    lines = said.out.splitlines()
    assert lines[0] == "transfer-smoke: study of mine by Some Lab"
    assert "- trained on Sokoban, distractors no: row " in said.out
    assert git(merged, "rev-list", "--count", "origin/main..HEAD") == "1"


def test_the_branch_starts_from_the_projects_main_whatever_is_checked_out(clone, run_path, capsys):
    git(clone, "checkout", "-q", "-b", "own-work")
    (clone / "own.py").write_text("mine\n")
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "own work")
    (clone / "runs").mkdir()  # untracked files elsewhere are nobody's concern
    (clone / "runs" / "x").write_text("")
    assert main(["submit", str(run_path), *CLAIMS]) == 0
    assert git(clone, "merge-base", BRANCH, "origin/main") == git(clone, "rev-parse", "origin/main")
    assert "own.py" not in git(clone, "ls-tree", "-r", "--name-only", BRANCH)
    assert git(clone, "branch", "--show-current") == "own-work"


def refused(clone: Path, run: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    before = state(clone)
    assert main(["submit", str(run), *CLAIMS, *options]) == 1
    assert state(clone) == before
    return capsys.readouterr().err


def test_a_changed_file_is_named(clone, run_path, capsys):
    (clone / "leaderboards" / "README.md").write_text("changed\n")
    assert "has changes that no commit holds (leaderboards/README.md)" in refused(clone, run_path, capsys)


def test_an_entry_that_no_commit_holds_is_named(clone, run_path, capsys):
    (clone / "leaderboards" / "tiny-v1").mkdir()
    (clone / "leaderboards" / "tiny-v1" / "x").write_text("")
    assert "has changes that no commit holds (leaderboards/tiny-v1/)" in refused(clone, run_path, capsys)


def test_a_branch_that_exists_is_left_alone(clone, run_path, capsys):
    git(clone, "branch", BRANCH)
    assert f"the branch {BRANCH} exists; push it, or delete it" in refused(clone, run_path, capsys)


def test_a_run_that_does_not_hold_leaves_the_clone_as_it_was(clone, run_path, suite, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    for file in run_path.iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    (run / "results.json").unlink()
    assert "it has no results.json; finish it with evaluate --resume" in refused(clone, run, capsys)


def test_a_failing_commit_leaves_the_clone_as_it_was(clone, run_path, capsys):
    hook = clone / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no such commit here >&2\nexit 1\n")
    hook.chmod(0o755)
    assert "git commit failed" in (said := refused(clone, run_path, capsys))
    assert "no such commit here" in said


def test_what_the_check_would_refuse_is_refused_before_the_branch_is_made(clone, project, run_path, capsys):
    readme = project / "leaderboards" / "README.md"
    readme.write_text(readme.read_text() + f"{BEGIN}\n")  # a second mark
    git(project, "commit", "-q", "-a", "-m", "broken")
    git(clone, "fetch", "-q")
    assert "the check of pull requests would refuse the entry: README.md holds the mark" in refused(
        clone, run_path, capsys
    )


def test_a_folder_outside_any_clone_is_refused(clone, run_path, tmp_path, capsys, monkeypatch):
    outside = tmp_path / "outside" / "leaderboards"
    outside.mkdir(parents=True)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert "lies in no clone of the repository" in refused(clone, run_path, capsys, "--leaderboards", str(outside))


def test_another_folder_of_a_clone_is_refused(clone, run_path, capsys):
    (clone / "boards").mkdir()
    said = refused(clone, run_path, capsys, "--leaderboards", "boards")
    assert "boards is not the folder leaderboards at the top of a clone of the repository" in said


def test_a_maintainers_record_does_not_go_into_a_pull_request(clone, run_path, capsys):
    assert main(["submit", str(run_path), *CLAIMS, "--record"]) == 2
    assert "a pull request records additions only" in capsys.readouterr().err
