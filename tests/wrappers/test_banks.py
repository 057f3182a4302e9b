"""The texts that distractors are made of."""

import json
import zipfile
from pathlib import Path

import pytest
import scienceworld

from agentgen_bench import TaskSpec
from agentgen_bench.contract import text_task
from agentgen_bench.seeding import stream
from agentgen_bench.wrappers.banks import FOLDER, bank, drawn_order, glimpses, things
from agentgen_bench.wrappers.contextual import ALFWORLD, episode_words
from agentgen_bench.wrappers.cross_env import SHOWN
from agentgen_bench.wrappers.distractors import KINDS
from agentgen_bench.wrappers.record_glimpses import RECORDED, recorded
from tests.wrappers.playing import FAMILIES, N_LEVELS, env_of

BANKS = sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", BANKS)
def test_a_bank_holds_at_least_60_different_texts(name):
    assert len(set(bank(name))) == len(bank(name)) >= 60
    assert all(text.strip() == text != "" for text in bank(name))


@pytest.mark.parametrize("family", sorted(SHOWN))
def test_a_family_has_at_least_60_glimpses(family):
    assert len(set(glimpses(family))) == len(glimpses(family)) >= 60


@pytest.mark.parametrize("name", ["alfworld", "sokoban", "sciworld"])
def test_templates_have_their_holes_and_no_other(name):
    holes = {"alfworld": ["{a}"], "sokoban": ["{a}", "{row}", "{column}"], "sciworld": ["{a}"]}[name]
    for text in bank(name):
        assert all(text.count(hole) == 1 for hole in holes)
        assert text.count("{") == len(holes)


def test_a_thing_is_one_lower_case_word_with_its_article():
    for article, name in things():
        assert article in ("a", "an")
        assert name.isalpha()
        assert name == name.lower()


def test_no_thing_is_a_word_of_the_templates_around_it():
    words = {
        word.strip(".,;()")
        for name in ("alfworld", "sokoban", "sciworld")
        for text in bank(name)
        for word in text.split()
    }
    assert not words & {name for _, name in things()}


@pytest.mark.parametrize("n", [1, 2, 64, 4864])
def test_an_order_meets_every_text_before_it_meets_one_again(n):
    order = drawn_order(n, stream("test", n))
    assert sorted(order.at(i) for i in range(n)) == list(range(n))


@pytest.mark.parametrize("family", FAMILIES)
def test_names_are_lower_case_and_leave_enough_things_to_invent(family):
    env = env_of(TaskSpec(family))
    for seed in range(2):
        env.reset(seed=seed)
        names = text_task(env).names()
        assert all(name == name.lower() for name in names)
        assert len([name for _, name in things() if name not in names]) >= 60


def test_alfworld_numbers_are_unused_in_the_scene():
    env = env_of(TaskSpec("ALFWorld"))
    for seed in range(N_LEVELS):
        env.reset(seed=seed)
        names = text_task(env).names()
        words = episode_words(ALFWORLD, names, stream("test", seed))
        assert any(name.endswith(" 1") for name in names)
        assert not [name for name in names for number in words.numbers if name.endswith(f" {number}")]


def test_no_thing_is_named_anywhere_in_the_science_simulator():
    folder = Path(scienceworld.__file__).parent
    with zipfile.ZipFile(folder / "scienceworld.jar") as jar:
        program = [jar.read(name) for name in jar.namelist() if name.startswith("scienceworld/")]
    text = b" ".join([*program, (folder / "object_type_ids.tsv").read_bytes()]).lower()
    assert b"thermometer" in text
    assert not [name for _, name in things() if name.encode() in text]


def test_no_entry_of_a_page_looks_like_a_product_number():
    env = env_of(TaskSpec("WebShop"))
    env.reset(seed=0)
    _, _, _, _, info = env.step(text_task(env).expert_action())
    numbers = [command[6:-1] for command in info["admissible_commands"] if command.startswith("click[b0")]
    assert numbers
    assert all(len(number) == 10 and not number.startswith("ad") for number in numbers)


def test_no_text_is_longer_than_the_space_allows_for():
    longest = max(len(template) for name in ("alfworld", "sokoban", "sciworld") for template in bank(name))
    assert longest + max(len(name) for _, name in things()) + 20 <= KINDS["contextual"].max_chars
    shop = max(len(text) for name in BANKS if name.startswith("webshop") for text in bank(name))
    assert shop + 60 <= KINDS["contextual"].max_chars
    glimpse = max(len(text) for family in SHOWN for text in glimpses(family))
    assert glimpse + max(len(lead) for lead in bank("leads")) + 60 <= KINDS["cross_env"].max_chars


@pytest.mark.slow
@pytest.mark.parametrize("family", RECORDED)
def test_the_glimpses_are_what_the_command_records(family):
    assert json.loads((FOLDER / f"glimpses_{family.lower()}.json").read_text()) == recorded(family)
