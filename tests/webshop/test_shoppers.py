"""The two reference shoppers: what they read, and that presets get harder for both."""

import pytest

from agentgen_bench import TaskSpec
from agentgen_bench.envs.webshop.settings import PRESETS
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.policies.webshop_shoppers import BuyFirstHit, ReadAllTen, named_values, price_limit
from agentgen_bench.rollout import Job, play

EPISODES = 120


def success(policy, difficulty, richness="base", **knobs):
    spec = TaskSpec("WebShop", richness=richness, difficulty=difficulty, split="test", knobs=tuple(knobs.items()))
    episodes = list(play([Job(spec, seed) for seed in range(EPISODES)], policy, record_text=False))
    assert all(step.is_action_valid for episode in episodes for step in episode.steps)
    assert all(episode.ending == "terminated" for episode in episodes)
    return sum(episode.success for episode in episodes) / EPISODES


@pytest.mark.parametrize("policy", [BuyFirstHit(), ReadAllTen()], ids=lambda policy: policy.name)
def test_presets_get_harder(policy):
    easy, medium, hard = [success(policy, difficulty) for difficulty in PRESETS]
    assert 1.0 > easy > medium > hard > 0.0


def test_reading_all_ten_beats_the_first_hit():
    assert success(ReadAllTen(), "easy") > success(BuyFirstHit(), "easy")


def test_richness_and_page_format_leave_the_shoppers_result_alone():
    results = {success(ReadAllTen(), "medium", richness) for richness in ("lean", "base", "rich")}
    results |= {success(ReadAllTen(), "medium", page_format="text_rich")}
    assert len(results) == 1


@pytest.mark.parametrize(
    ("task", "limit"),
    [
        ("Find me a lamp, for under $24.", 24.0),
        ("a lamp, for less than 155 dollars", 155.0),
        ("Find me lamps, and price lower than 40.00 dollars", 40.0),
        ("a lamp", float("inf")),
    ],
)
def test_the_limit_is_read_from_the_request(task, limit):
    assert price_limit(task) == limit


@pytest.mark.parametrize(
    ("task", "values", "named"),
    [
        ("mens chinos, in size s", ["s", "m", "xs"], ["s"]),
        ("my sister's coat, in navy", ["s", "navy", "black"], ["navy"]),
        ("a pasta, as a twin pack", ["single", "twin pack"], ["twin pack"]),
    ],
)
def test_option_values_are_read_as_whole_words(task, values, named):
    assert named_values(task, values) == named


def test_the_command_line_knows_both_by_name():
    assert isinstance(scripted_policy("webshop-first-hit"), BuyFirstHit)
    assert isinstance(scripted_policy("webshop-read-all-ten"), ReadAllTen)
