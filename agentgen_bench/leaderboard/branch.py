"""A pull request prepared: a new entry on a branch of its own, as one commit, of which `git push` is all that is left.

Everything happens in a work tree beside the clone, on the commit that the project's main branch is at as far as the
clone knows. The branch is made last, so that a failure leaves the clone, its checkout and its branches as they were.
GitHub takes title and text of a pull request of one commit from that commit's message.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.audit import Record, append, entry_name
from agentgen_bench.leaderboard.columns import percent_text
from agentgen_bench.leaderboard.entry import digests
from agentgen_bench.leaderboard.harness import harness_card
from agentgen_bench.leaderboard.markdown import markdown, with_table
from agentgen_bench.leaderboard.pull_request import MAX_README_BYTES, README, problems
from agentgen_bench.leaderboard.safe import read_text
from agentgen_bench.leaderboard.studies import read_studies
from agentgen_bench.leaderboard.study_tables import StudyTable, place_text, study_tables
from agentgen_bench.leaderboard.table import Board, Row, read_boards

BOARDS = "leaderboards"  # at the top of the repository: the check of pull requests knows it by this name
# The newest commit of the project's main branch that a clone knows of: of a fork, of a clone, of neither.
BASES = ("upstream/HEAD", "upstream/main", "origin/HEAD", "origin/main", "main", "HEAD")
MAX_LISTED = 3
NOTE = "Training data, licence and links stand in the entry's README."


class Clone(NamedTuple):
    """A clone of the repository, and the commit that a branch starts from."""

    root: Path
    base: str  # a name in BASES
    commit: str


class Prepared(NamedTuple):
    """A branch that waits for `git push`."""

    branch: str
    base: str  # what it starts from, and the commit
    remote: str
    text: str  # of the pull request; its first line is the title

    @property
    def push(self) -> str:
        """The command that is left."""
        return f"git push -u {self.remote} {self.branch}"


def branch_name(*parts: str) -> str:
    """Return a name for the branch of an entry: letters, digits, minus signs and underscores.

    Examples:
        >>> branch_name("core-v1", "20260131_My-Lab__my-model-4b.lock")
        'entry-core-v1-20260131_My-Lab__my-model-4b-lock'
    """
    return "-".join(["entry", *(re.sub(r"[^A-Za-z0-9_-]+", "-", part).strip("-") for part in parts)])


def clone_of(leaderboards: Path, branch: str) -> Clone:
    """Return the clone that a folder of leaderboards lies in, ready for a new branch of that name.

    Raises:
        EntryError: it lies in no clone of the repository, the clone has changes that no commit holds, or a branch of
            that name; or git does not know who commits.
    """
    inside = leaderboards if leaderboards.is_dir() else leaderboards.absolute().parent
    found = _asked(inside, "rev-parse", "--show-toplevel")
    if found is None:
        raise EntryError(
            f"{leaderboards} lies in no clone of the repository; clone it and run submit --pr there, or leave out --pr"
        )
    root = Path(found)
    base = next((name for name in BASES if _asked(root, "rev-parse", "--verify", "-q", f"{name}^{{commit}}")), None)
    if (
        base is None
        or leaderboards.resolve() != root.resolve() / BOARDS
        or _asked(root, "cat-file", "-e", f"{base}:{BOARDS}/{README}") is None
    ):
        raise EntryError(
            f"{leaderboards} is not the folder {BOARDS} at the top of a clone of the repository, with {README} in it, "
            f"committed; clone the repository and run submit --pr at its top (the clone here is {root})"
        )
    _check_clean(root)
    if _asked(root, "rev-parse", "--verify", "-q", f"refs/heads/{branch}") is not None:
        raise EntryError(f"the branch {branch} exists; push it, or delete it with git branch -D {branch}")
    _git(root, "var", "GIT_COMMITTER_IDENT")  # before the replay, not after it
    return Clone(root, base, _git(root, "rev-parse", f"{base}^{{commit}}"))


def _check_clean(root: Path) -> None:
    changed = _git(root, "status", "--porcelain", "--untracked-files=no").splitlines()
    changed += [
        line for line in _git(root, "status", "--porcelain", "--", BOARDS).splitlines() if line.startswith("??")
    ]
    if changed:
        more = f" and {len(changed) - MAX_LISTED} more" if len(changed) > MAX_LISTED else ""
        names = ", ".join(line[2:].strip() for line in changed[:MAX_LISTED])
        raise EntryError(
            f"{root} has changes that no commit holds ({names}{more}), and the branch would leave them out; commit "
            "them, or put them away with git stash -u"
        )


def prepare(
    leaderboards: Path,
    branch: str,
    make_entry: Callable[[Path], Path],
    describe: Callable[[Board | StudyTable, str], str],
) -> Prepared:
    """Make an entry on a new branch of the clone that the leaderboards lie in; the checkout stays as it is.

    Args:
        leaderboards: the folder of all boards, at the top of a clone.
        branch: the new branch.
        make_entry: makes the entry in the folder of all boards that it is given, and returns the entry's.
        describe: returns the text of the pull request, of the entry's board or its study's table, and its name.

    Raises:
        EntryError: see `clone_of`, or what `make_entry` or the check of pull requests say against the entry.
    """
    clone = clone_of(leaderboards, branch)
    with tempfile.TemporaryDirectory(prefix="agentgen-pr-") as folder, _work_tree(clone, Path(folder) / "tree") as tree:
        boards, before = tree / BOARDS, Path(folder) / "before"
        shutil.copytree(boards, before)
        entry = make_entry(boards)
        day = f"{entry.name[:4]}-{entry.name[4:6]}-{entry.name[6:8]}"
        append(boards, Record(day, "added", entry_name(entry), digests=digests(entry)))
        read, studies = read_boards(boards), study_tables(read_studies(boards))
        readme = boards / README
        text = with_table(read_text(readme, MAX_README_BYTES), markdown(read, studies))
        readme.write_text(text, encoding="utf-8")
        _git(tree, "add", "--force", "--", BOARDS)
        changed = _git(tree, "diff", "--cached", "--name-only", "-z").split("\0")
        found = list(problems(before, boards, changed=filter(None, changed), replay=False))
        if found:
            raise EntryError("the check of pull requests would refuse the entry: " + "; ".join(found))
        suite = entry.parent.name
        own: list[Board | StudyTable] = [board for board in read if board.suite == suite]
        own += [one for one in studies if one.protocol == suite]
        text = describe(own[0], entry_name(entry))
        _git(tree, "commit", "-q", "-m", text)
        _git(clone.root, "branch", branch, _git(tree, "rev-parse", "HEAD"))
    return Prepared(branch, f"{clone.base} ({clone.commit[:10]})", _remote(clone.root), text)


def entry_text(board: Board, row: Row) -> str:
    """Return title and text of the pull request that adds a row."""
    lines = [
        f"{board.suite}: {row.metadata.model} by {row.metadata.org}",
        "",
        f"- entry: `{BOARDS}/{row.entry}`, {row.episodes} episodes, every one replayed here",
        f"- success: {percent_text(row.success)} %, rank {row.rank} of {len(board.rows)}",
    ]
    if (card := harness_card(row.metadata)) is not None:
        lines.append(f"- harness: {card.text}")
    if row.fresh is not None and row.metadata.fresh is not None:
        lines.append(
            f"- on levels drawn from `{row.metadata.fresh['text']}`: {percent_text(row.fresh)} points of change"
        )
    if (commit := (row.metadata.made or {}).get("commit")) is not None:
        lines.append(f"- played with commit `{commit}`")
    return "\n".join([*lines, *(f"- {note}" for note in row.notes), "", NOTE])


def study_text(table: StudyTable, entry: str) -> str:
    """Return title and text of the pull request that adds a study; its rows are in the table."""
    own = [row for row in table.rows if row.study.entry == entry]
    metadata = own[0].study.metadata
    lines = [
        f"{table.protocol}: study of {metadata.model} by {metadata.org}",
        "",
        f"- entry: `{BOARDS}/{entry}`, {len(metadata.runs)} runs, every episode of each replayed here",
        *(f"- {place_text(table, row)}" for row in own),
    ]
    if (commit := (metadata.made or {}).get("commit")) is not None:
        lines.append(f"- played with commit `{commit}`")
    return "\n".join([*lines, "", NOTE])


@contextmanager
def _work_tree(clone: Clone, path: Path) -> Iterator[Path]:
    """Give a work tree on the base commit, and take it away again, whatever happens."""
    _git(clone.root, "worktree", "add", "-q", "--detach", str(path), clone.commit)
    try:
        yield path
    finally:
        _asked(clone.root, "worktree", "remove", "--force", str(path))
        _asked(clone.root, "worktree", "prune")


def _remote(root: Path) -> str:
    """Return where the branch goes: the submitter's fork is `origin` unless there is none of that name."""
    remotes = (_asked(root, "remote") or "").split()
    return "origin" if "origin" in remotes or not remotes else remotes[0]


def _git(where: Path, *words: str) -> str:
    """Return what git says; raises EntryError with its own words where it fails."""
    done = _run(where, words)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise EntryError(f"git {words[0]} failed in {where}: {said[:500] or f'exit code {done.returncode}'}")
    return done.stdout.strip()


def _asked(where: Path, *words: str) -> str | None:
    """Return what git says; None where it fails."""
    done = _run(where, words)
    return None if done.returncode else done.stdout.strip()


def _run(where: Path, words: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["git", "-C", str(where), *words],
            env=_environment(os.environ),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise EntryError("--pr needs git, and there is none here; install git, or leave out --pr") from None


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would point git at another repository than the folder's."""
    kept = {name: value for name, value in own.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
    return {**kept, "LC_ALL": "C"}
