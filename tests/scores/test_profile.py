"""The profile of an environment setting."""

from agentgen_bench.scores.base import Score
from agentgen_bench.scores.profile import profile, profiles_json
from agentgen_bench.seeding import stream
from tests.scores.build import episode, step


def profiled(episodes: list, **options: int) -> dict[str, Score]:  # type: ignore[type-arg]
    return {score.name: score for score in profile(episodes, stream("t"), **options)}


TWO = [
    episode(
        True,
        seed=0,
        expert_length=2,
        first_chars={"state": 100, "distractor": 20},
        steps=[
            step(prompt_chars=1000, chars={"state": 110}),
            step(prompt_chars=1100, chars={"state": 9999}),  # read by nobody: the episode ends here
        ],
    ),
    episode(seed=1, expert_length=4, first_chars={"state": 90}, steps=[step(prompt_chars=900, chars={"state": 50})]),
]


def test_characters_are_those_a_decision_was_made_on() -> None:
    got = profiled(TWO, min_episodes=2)
    assert got["prompt_chars"].value == 1000.0  # (1000 + 1100 + 900) / 3 steps
    assert got["obs_chars"].value == (120 + 110 + 90) / 3
    assert got["distractor_chars"].value == 20 / 3
    assert got["admissible"].value == 4.0


def test_planning_complexity_counts_a_failure_at_the_limit() -> None:
    assert profiled(TWO, min_episodes=2)["planning_complexity"].value == 26.0  # (2 + 50) / 2
    assert profiled(TWO, min_episodes=2, step_limit=15)["planning_complexity"].value == 8.5


def test_a_solution_beyond_the_limit_counts_as_the_limit() -> None:
    long = [episode(True, seed=seed, steps=[step()] * 60) for seed in range(2)]
    assert profiled(long, min_episodes=2)["planning_complexity"].value == 50.0


def test_reachability_is_success_and_the_experts_length_is_beside_it() -> None:
    got = profiled(TWO, min_episodes=2)
    assert got["goal_reachability"].value == 0.5
    assert got["expert_length"].value == 3.0


def test_a_pack_has_no_planning_complexity() -> None:
    packs = [episode(seed=seed, interface="opaque", lifecycle="pack-4") for seed in range(128)]
    assert profiled(packs)["planning_complexity"].reason == "it is defined for one task, not for a pack of them"


def test_fewer_than_128_episodes_are_no_profile() -> None:
    assert {score.reason for score in profiled(TWO).values()} == {"needs at least 128 episodes, got 2"}


def test_a_policy_without_prompts_has_no_prompt_length() -> None:
    got = profiled([episode(seed=seed, steps=[step()]) for seed in range(2)], min_episodes=2)
    assert got["prompt_chars"].reason == "this policy reads no prompt"
    assert got["expert_length"].reason == "no record holds the length of the expert's plan"


def test_the_profile_names_the_policy_that_made_it() -> None:
    got = profiles_json(TWO, min_episodes=2)
    assert got["policy"] == "P"
    assert [setting["setting"] for setting in got["settings"]] == ["Sokoban-base easy train"]
