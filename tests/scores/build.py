"""Episodes for the tests of scores: only what a score reads needs to be said."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from agentgen_bench.contract import TaskRecord
from agentgen_bench.episodes import Ending, Episode, Sections, Step
from agentgen_bench.scores.base import Score
from agentgen_bench.spec import TaskSpec


def step(
    action: str | None = "up",
    *,
    reward: float = 0.0,
    valid: bool = True,
    parse_reason: str | None = None,
    prompt_tokens: int = 0,
    completion_tokens: int = 0,
    prompt_chars: int = 0,
    chars: dict[str, int] | None = None,
    sections: Sections | None = None,
    link: str = "",
) -> Step:
    return Step(
        action=action,
        completion="",
        parse_reason=parse_reason,
        reward=reward,
        score=0.0,
        is_action_valid=valid,
        observation_hash=link,
        observation_chars=chars or {},
        n_admissible=4,
        prompt_chars=prompt_chars,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        dropped_turns=0,
        sections=sections,
    )


def episode(
    success: bool = False,
    *,
    family: str = "Sokoban",
    seed: int = 0,
    repeat: int = 0,
    policy: str = "P",
    level_id: str | None = None,
    steps: Sequence[Step] = (),
    score: float | None = None,
    ending: Ending | None = None,
    error: str | None = None,
    max_steps: int = 30,
    expert_length: int | None = None,
    analysis: dict[str, float | int | None] | None = None,
    tasks: tuple[TaskRecord, ...] = (),
    first_chars: dict[str, int] | None = None,
    first_sections: Sections | None = None,
    **setting: Any,
) -> Episode:
    return Episode(
        spec=TaskSpec(family, **setting).to_json(),
        seed=seed,
        repeat=repeat,
        policy=policy,
        level_id=f"{family}:{setting.get('difficulty')}:{seed}" if level_id is None else level_id,
        task="",
        max_steps=max_steps,
        first_hash="",
        first_chars=first_chars or {},
        first_admissible=4,
        steps=tuple(steps),
        ending=ending or ("terminated" if success else "truncated"),
        success=success,
        score=float(success) if score is None else score,
        expert_length=expert_length,
        analysis=analysis or {},
        tasks=tasks,
        error=error,
        first_sections=first_sections,
    )


def is_inside(score: Score) -> bool:
    """Return whether a score lies inside its interval, up to the resolution of redrawn sums; true where it has none."""
    if score.value is None or score.low is None or score.high is None:
        return True
    return score.low - 1e-6 <= score.value <= score.high + 1e-6


def lists_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of values, or of one value again and again, which no redraw tells apart."""
    return st.lists(values, min_size=1, max_size=8) | st.builds(lambda one, n: [one] * n, values, st.integers(1, 40))


def cell(successes: int, n: int, **fields: Any) -> list[Episode]:
    """Return n episodes on n levels of one setting, the first `successes` of them solved."""
    return [episode(seed < successes, seed=seed, **fields) for seed in range(n)]


steps = st.builds(
    step,
    st.none() | st.sampled_from(["up", "down", "fly"]),
    reward=st.sampled_from([-1.0, -0.1, 0.0, 0.3, 10.0]),
    valid=st.booleans(),
    prompt_tokens=st.integers(0, 4096),
    completion_tokens=st.integers(0, 512),
)


@st.composite
def runs(draw: st.DrawFn, min_size: int = 0, max_size: int = 24) -> list[Episode]:
    """Episodes of one policy, each (setting, seed, repeat) once."""
    keys = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["Sokoban", "WebShop"]),
                st.sampled_from(["easy", "hard"]),
                st.integers(0, 5),
                st.integers(0, 2),
            ),
            unique=True,
            min_size=min_size,
            max_size=max_size,
        )
    )
    return [
        episode(
            success := draw(st.booleans()),
            family=family,
            difficulty=difficulty,
            seed=seed,
            repeat=repeat,
            steps=draw(st.lists(steps, max_size=4)),
            score=1.0 if success else draw(st.floats(0, 0.99)),
        )
        for family, difficulty, seed, repeat in keys
    ]
