"""How completions are drawn: the settings that every model policy shares."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TypedDict, TypeGuard

from agentgen_bench.errors import PolicyError
from agentgen_bench.seeding import seed_from

COLDEST = 0.01  # vLLM raises a lower temperature to this, so two back ends would differ


class SamplingJson(TypedDict):
    """Sampling settings as manifests hold them."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    top_k: int | None


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings; temperature 0 is greedy decoding, where top_p, top_k and the seed play no part.

    `top_k` None keeps all tokens. `max_tokens` bounds one completion, the end-of-turn token included. `seed` is the
    run's: each request draws from a seed of its own, keyed by the step, so a completion does not depend on which
    other episodes share its batch.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 512
    seed: int = 0
    top_k: int | None = None

    def __post_init__(self) -> None:
        """Raise PolicyError for settings outside their ranges."""
        in_range = {
            "temperature": (_is_temperature(self.temperature), f"0 (greedy), or {COLDEST} or more"),
            "top_p": (_is_number(self.top_p) and 0 < self.top_p <= 1, "a number above 0 and at most 1"),
            "top_k": (self.top_k is None or _is_count(self.top_k), "1 or more, or None for all tokens"),
            "max_tokens": (_is_count(self.max_tokens), "1 or more"),
            "seed": (_is_number(self.seed, Integral), "an integer"),
        }
        for name, (is_right, right) in in_range.items():
            if not is_right:
                raise PolicyError(f"{name}={getattr(self, name)!r} is out of range; choose {right}")

    @property
    def greedy(self) -> bool:
        """Whether every completion is the most probable one, token by token."""
        return self.temperature == 0

    def request_seed(self, key: tuple[str | int, ...]) -> int:
        """Return the seed in [0, 2**31) of the request made at the step named by `key` (`History.key`)."""
        return seed_from(self.seed, *key)

    def to_json(self) -> SamplingJson:
        """Return the settings as the manifest records them."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "top_k": self.top_k,
        }


def _is_temperature(value: object) -> bool:
    return _is_number(value) and (value == 0 or (value >= COLDEST and math.isfinite(value)))


def _is_count(value: object) -> bool:
    return _is_number(value, Integral) and value >= 1


def _is_number(value: object, kind: type = Real) -> TypeGuard[float]:
    """Return whether a value is a number of a kind, NumPy's too; True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool)
