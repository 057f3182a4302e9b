"""Names and texts as other tools take them: task names of settings, dates, text without lone surrogates."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from agentgen_bench.episodes import canonical_json
from agentgen_bench.errors import SpecError
from agentgen_bench.scores.base import setting_label

MAX_NAME_CHARS = 120  # file names hold it together with a date


def task_names(specs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return a name for each setting, by its spec in canonical JSON: words of a-z and 0-9 joined by "_", all different.

    Examples:
        >>> list(task_names([{"env_id": "AgentGen/Sokoban-rich-v0", "difficulty": "easy", "split": "test"}]).values())
        ['sokoban_rich_easy_test']
    """
    plain = {canonical_json(spec): slug(setting_label(spec)) for spec in specs}
    times = Counter(plain.values())
    return {
        key: name
        if times[name] == 1 and len(name) <= MAX_NAME_CHARS
        else f"{name[:MAX_NAME_CHARS]}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        for key, name in plain.items()
    }


def slug(text: str) -> str:
    """Return a text as lower-case words of a-z and 0-9 joined by underscores, `unnamed` where it has none of these.

    Examples:
        >>> slug("Qwen3-4B"), slug("模型")
        ('qwen3_4b', 'unnamed')
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "unnamed"


def moment(text: str) -> datetime:
    """Return the moment of an ISO 8601 date or datetime, in UTC where it names no zone.

    Raises:
        SpecError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SpecError(f"{text!r} is not a date; write 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def encodable(text: str) -> str:
    r"""Return a text that UTF-8 can hold: completions may carry lone surrogates, each becomes U+FFFD.

    Examples:
        >>> encodable("a\ud800b")
        'a\ufffdb'
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
