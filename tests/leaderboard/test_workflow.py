"""The shell steps of the workflow that judges entries, run on a repository and a pull request made for it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.audit import Record, append, entry_name
from agentgen_bench.leaderboard.entry import digests
from agentgen_bench.leaderboard.markdown import BEGIN, END, markdown, with_table
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.policies.scripted import NoopPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.suites import load_suite

REPOSITORY = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "verify-entries.yml").read_text(encoding="utf-8"))
STEPS = [step for step in WORKFLOW["jobs"]["verify"]["steps"] if "run" in step]
NUMBER = "7"


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Host(NamedTuple):
    """A repository on the host, with a branch in work for a pull request."""

    folder: Path  # of everything; the repository's name on the host is `project`

    @property
    def work(self) -> Path:
        return self.folder / "project"

    def propose(self) -> str:
        """Commit what is in the work tree as a pull request; the host makes its merge. Returns the head."""
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", "pull request")
        head = git(self.work, "rev-parse", "HEAD")
        git(self.work, "checkout", "-q", "main")
        git(self.work, "merge", "-q", "--no-ff", "-m", "merge", head)
        git(self.work, "update-ref", f"refs/pull/{NUMBER}/merge", "HEAD")
        git(self.work, "reset", "-q", "--hard", "HEAD^1")
        return head

    def judge(self, head: str) -> "list[subprocess.CompletedProcess[str]]":
        """Run the shell steps as the runner does, up to the first that fails; the packages are installed already."""
        place = self.folder / "runner"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        done = []
        for step in STEPS:
            env = self._environment() | ({"NUMBER": NUMBER, "HEAD_SHA": head} if "env" in step else {})
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done.append(subprocess.run(command, cwd=place, env=env, capture_output=True, text=True))
            if done[-1].returncode:
                break
        return done

    def _environment(self) -> dict[str, str]:
        binaries = self.folder / "bin"
        paths = [str(REPOSITORY), *(path for path in sys.path if path.endswith("site-packages"))]
        return {
            **os.environ,
            **WORKFLOW["env"],
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(paths),  # a link to a virtual environment's interpreter loses it
            "GITHUB_SERVER_URL": f"file://{self.folder}",
            "GITHUB_REPOSITORY": "project",
        }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    (host.work / "leaderboards" / "smoke").mkdir(parents=True)
    (host.work / "leaderboards" / "README.md").write_text(f"{BEGIN}\nNo entries yet.\n{END}\n")
    (host.work / "code.py").write_text("old")
    git(tmp_path, "init", "-q", "-b", "main", "project")
    git(host.work, "add", "-A")
    git(host.work, "commit", "-q", "-m", "base")
    git(host.work, "checkout", "-q", "-b", "theirs")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "bin" / "pip").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/installed\n')
    (tmp_path / "bin" / "pip").chmod(0o755)
    return host


def add_hostile_entry(board: Path) -> None:
    evil = board / "smoke" / "$(touch sprung); `touch sprung`\n::error::x"
    evil.mkdir(parents=True)
    (evil / "metadata.yaml").write_text("!!python/object/apply:os.system ['touch sprung']")


def test_a_hostile_pull_request_is_judged_and_nothing_of_it_is_executed(host: Host) -> None:
    trap = f"open({str(host.folder / 'sprung')!r}, 'w')\n"
    for name in ("multiprocessing", "agentgen_bench", "yaml", "git", "encodings"):
        (host.work / name).mkdir()
        (host.work / name / "__init__.py").write_text(trap)
    (host.work / "sitecustomize.py").write_text(trap)
    add_hostile_entry(host.work / "leaderboards")
    *before, last = host.judge(host.propose())
    assert [each.returncode for each in before] == [0, 0], before[-1].stderr
    assert last.returncode == 1, last.stderr
    assert "- smoke/$(touch sprung); `touch sprung` ::error::x is there, but the audit trail" in last.stdout
    assert "is changed together with entries" in last.stdout
    assert not any(line.lstrip().startswith("::") for line in last.stdout.splitlines())
    assert not list(host.folder.rglob("sprung"))


def test_a_pull_request_without_entries_holds(host: Host) -> None:
    (host.work / "code.py").write_text("new")
    *before, last = host.judge(host.propose())
    assert [each.returncode for each in before] == [0, 0], before[-1].stderr
    assert (last.returncode, last.stdout) == (0, "the pull request holds\n"), last.stderr


def test_a_renamed_file_of_the_code_is_a_change_of_it(host: Host) -> None:
    (host.work / "code.py").rename(host.work / "leaderboards" / "smoke" / "code.py")
    add_hostile_entry(host.work / "leaderboards")
    last = host.judge(host.propose())[-1]
    assert "- code.py is changed together with entries" in last.stdout


def test_a_repository_within_the_leaderboards_is_refused(host: Host) -> None:
    place = host.work / "leaderboards" / "smoke" / "inner"
    git(host.work, "init", "-q", str(place))
    (place / "x").write_text("x")
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "inner")
    last = host.judge(host.propose())[-1]
    assert (last.returncode, "leaderboards/smoke/inner is no file" in last.stdout) == (1, True), last.stdout


def test_a_merge_of_another_commit_is_not_judged(host: Host) -> None:
    (host.work / "code.py").write_text("sound")
    host.propose()
    git(host.work, "checkout", "-q", "theirs")
    (host.work / "code.py").write_text("pushed since")
    git(host.work, "commit", "-q", "-a", "-m", "later")
    (only,) = host.judge(git(host.work, "rev-parse", "HEAD"))
    assert only.returncode == 1
    assert "the merge is not of the commit that this run is about" in only.stdout


def test_the_base_branchs_packages_and_code_are_installed(host: Host) -> None:
    (host.work / "code.py").write_text("new")
    host.judge(host.propose())
    first, second = (host.folder / "installed").read_text().splitlines()
    assert first == "install --require-hashes --only-binary :all: -r base/.github/requirements-verify.txt"
    assert second == "install --no-index --no-deps --no-build-isolation ./base"
    assert (host.folder / "runner" / "base" / "code.py").read_text() == "old"
    assert (host.folder / "runner" / "merged" / "code.py").read_text() == "new"


@pytest.mark.slow
def test_a_sound_entry_holds(host: Host) -> None:
    board = host.work / "leaderboards"
    evaluate(suite_plan(load_suite("smoke")), NoopPolicy(), PromptConfig(), host.folder / "run")
    entry = submit(host.folder / "run", org="Some Lab", model="nothing", date="2026-11-28", leaderboards=board)
    append(board, Record("2026-11-28", "added", entry_name(entry), "", digests(entry)))
    readme = board / "README.md"
    readme.write_text(with_table(readme.read_text(), markdown(read_boards(board))))
    last = host.judge(host.propose())[-1]
    assert (last.returncode, last.stdout.splitlines()[-1]) == (0, "the pull request holds"), last.stdout + last.stderr


PIN = re.compile(r"([a-z0-9-]+)==([\w.]+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


def pinned() -> dict[str, str]:
    """Return the pinned versions; every requirement is pinned and has hashes, or this fails."""
    text = (REPOSITORY / ".github" / "requirements-verify.txt").read_text(encoding="utf-8")
    comment, _, body = text.partition("\n")
    assert comment.startswith("#")
    assert PIN.sub("", body) == ""
    return {name: version for name, version, _ in PIN.findall(body)}


def needed(name: str, seen: set[str]) -> set[str]:
    """Return a package and what it needs on the runner, as the packages installed here say."""
    runner = {"python_version": "3.11", "python_full_version": "3.11.7", "platform_machine": "x86_64", "extra": ""}
    if name in seen:
        return seen
    seen.add(name)
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(runner):
            needed(canonicalize_name(requirement.name), seen)
    return seen


def test_what_the_judge_installs_is_pinned_and_complete() -> None:
    versions = pinned()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*map(Requirement, project["project"]["dependencies"])]
    assert [str(each) for each in wanted if versions.get(canonicalize_name(each.name), "0") not in each.specifier] == []
    found: set[str] = set()
    for requirement in wanted:
        needed(canonicalize_name(requirement.name), found)
    assert found - versions.keys() == set()
    assert set(project["build-system"]["requires"]) <= versions.keys()  # it is built without isolation
