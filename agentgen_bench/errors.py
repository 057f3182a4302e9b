"""The errors a user can cause. Each message says what was wrong, what we got and what would be right."""

from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]


def install_hint(extra: str) -> str:
    """Return the command that installs an extra; there is no release yet, so it is one for a clone.

    Examples:
        >>> install_hint("train").startswith("pip install '.[train]' in ")
        True
    """
    return (
        f"pip install '.[{extra}]' in {CLONE if (CLONE / 'pyproject.toml').exists() else 'a clone of agentgen-bench'}"
    )


class AgentGenError(Exception):
    """Base of every error raised on purpose; the command line prints it as one line, without a trace."""


class SpecError(AgentGenError, ValueError):
    """An unknown id, richness, difficulty, split or knob, or knobs that no level can satisfy."""


class UnavailableError(SpecError):
    """A version or family that is not here; records and suites may name it, another release or package can make it."""


class ActionError(AgentGenError, TypeError):
    """An action that is no string, or not as many as there are environments."""


class MissingDependencyError(AgentGenError, ImportError):
    """An optional package or program is absent; the message holds the command that installs it."""


class DataError(AgentGenError):
    """A data file or folder is missing, truncated or malformed; the message names file and key."""


class PolicyError(AgentGenError):
    """A model cannot be loaded, or a server cannot be reached or does not answer as it should."""


class RunError(AgentGenError):
    """A run folder cannot be written, resumed or read."""


class SessionError(AgentGenError, ValueError):
    """A session used out of order, or given an answer that is neither a text nor calls."""


class LevelChangedError(AgentGenError):
    """A seed gives another level than the frozen suite says."""


class ScoreError(AgentGenError, ValueError):
    """Episodes, runs or a study that cannot be scored as asked."""


class EntryError(AgentGenError):
    """A leaderboard entry that cannot be made, or that does not hold what it claims."""
