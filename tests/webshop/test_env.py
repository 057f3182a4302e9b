"""The environment: richness, seeds, splits, knobs, oracle."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgen_bench import make
from agentgen_bench.envs.webshop.clusters import kind_name
from agentgen_bench.envs.webshop.product import encoded
from agentgen_bench.envs.webshop.settings import PRESETS
from agentgen_bench.envs.webshop.vocabulary import TYPES
from agentgen_bench.errors import DataError, SpecError
from tests.webshop.shops import SPLITS, preset_shop

RICHNESSES = ("lean", "base", "rich")
LEVELS = 60
ODD_ACTIONS = ("", "search[]", "search[lamp", "click[no such]", "CLICK[Buy Now]", "buy", "search[<r>]", "click[search]")


def webshop(richness="base", **knobs):
    return make(f"AgentGen/WebShop-{richness}-v0", **knobs)


def visit(env, seed, moves):
    """Play admissible commands by index, and odd actions for negative ones; yield what each step gives."""
    observation, info = env.reset(seed=seed)
    yield observation, 0.0, False, False, info
    for move in moves:
        commands = info["admissible_commands"]
        action = ODD_ACTIONS[move % len(ODD_ACTIONS)] if move < 0 else commands[move % len(commands)]
        returned = env.step(action)
        yield returned
        info = returned[4]
        if returned[2] or returned[3]:
            return


moves = st.lists(st.integers(-len(ODD_ACTIONS), 60), max_size=18)


@given(st.integers(0, 500), moves)
@settings(max_examples=40)
def test_richness_changes_the_text_only_and_only_adds(seed, moves):
    lean, base, rich = [list(visit(webshop(richness, difficulty="medium"), seed, moves)) for richness in RICHNESSES]
    for (l_text, *l_rest, l_info), (b_text, *b_rest, b_info), (r_text, *r_rest, r_info) in zip(
        lean, base, rich, strict=True
    ):
        assert l_rest == b_rest == r_rest
        assert l_text in b_text
        assert b_text in r_text
        for key in ("task", "success", "score", "level_id", "is_action_valid", "admissible_commands"):
            assert l_info[key] == b_info[key] == r_info[key]


@given(st.integers(0, 500), moves)
@settings(max_examples=25)
def test_the_page_format_changes_the_text_only(seed, moves):
    plain = list(visit(webshop(difficulty="hard"), seed, moves))
    marked = list(visit(webshop(difficulty="hard", page_format="text_rich"), seed, moves))
    assert [step[1:4] for step in plain] == [step[1:4] for step in marked]
    assert [step[4]["admissible_commands"] for step in plain] == [step[4]["admissible_commands"] for step in marked]


@given(st.integers(0, 500), moves)
@settings(max_examples=25)
def test_the_oracle_buys_the_target_from_any_page(seed, moves):
    env = webshop(difficulty="medium", max_steps=60)
    *_, (_, _, terminated, _, info) = visit(env, seed, moves)
    while not terminated:
        _, _, terminated, truncated, info = env.step(env.unwrapped.expert_action())
        assert not truncated
        assert info["is_action_valid"]
        if terminated:
            assert info["success"]


@pytest.mark.parametrize("split", [*SPLITS, "ood_phrasing"])
@pytest.mark.parametrize("difficulty", PRESETS)
def test_the_oracle_needs_its_stated_number_of_steps(difficulty, split):
    env = webshop(difficulty=difficulty, split=split)
    for seed in range(25):
        env.reset(seed=seed)
        expected, count, terminated = env.unwrapped.expert_length, 0, False
        while not terminated:
            _, reward, terminated, truncated, _ = env.step(env.unwrapped.expert_action())
            count += 1
            assert not truncated
        assert (reward, count) == (1.0, expected)


def test_every_admissible_command_is_accepted():
    env = webshop(difficulty="hard")
    _, info = env.reset(seed=1)
    for _ in range(3):
        state = pickle.dumps(env)
        for command in info["admissible_commands"]:
            assert pickle.loads(state).step(command)[4]["is_action_valid"]
        *_, info = env.step(env.unwrapped.expert_action())


def test_admissible_commands_tell_nothing_that_is_not_on_the_page():
    env = webshop("base", difficulty="hard")
    for observation, *_, info in visit(env, 3, [0, 4, 7, 9, 3]):
        for command in info["admissible_commands"]:
            if command.startswith("click["):
                assert command[6:-1] in observation.lower()
            else:
                assert command == f"search[{info['task'].lower()}]"


@pytest.mark.parametrize("action", ODD_ACTIONS[:4] + ODD_ACTIONS[5:6] + ODD_ACTIONS[7:])
def test_an_odd_action_is_invalid_and_changes_nothing_but_the_step_count(action):
    env = webshop()
    first, before = env.reset(seed=1)
    observation, reward, terminated, _, info = env.step(action)
    assert (observation, reward, terminated, info["is_action_valid"]) == (first, 0.0, False, False)
    assert info["admissible_commands"] == before["admissible_commands"]


def test_random_search_words_of_the_original_are_plain_words_here():
    env = webshop()
    env.reset(seed=1)
    observation, *_, info = env.step("search[<r>]")
    assert info["is_action_valid"]
    assert "Page 1 (Total results: 0)" in observation


def test_strict_search_leaves_searching_to_the_search_page():
    env = webshop(strict_search=True)
    env.reset(seed=1)
    *_, info = env.step("search[lamp]")
    assert not any(command.startswith("search[") for command in info["admissible_commands"])
    *_, info = env.step("search[lamp]")
    assert not info["is_action_valid"]


def test_the_oracle_finds_its_way_under_strict_search():
    env = webshop(strict_search=True, difficulty="medium")
    env.reset(seed=2)
    env.step("search[zzzz]")
    terminated = False
    while not terminated:
        _, _, terminated, _, info = env.step(env.unwrapped.expert_action())
    assert info["success"]


def test_the_attributes_page_lists_the_attributes_where_it_is_shown():
    env = webshop(show_attributes=True)
    env.reset(seed=1)
    env.step(env.unwrapped.expert_action())
    env.step(env.unwrapped.expert_action())
    observation, *_ = env.step("click[attributes]")
    product = env.unwrapped._shop.catalogue.product(env.unwrapped._session.item)
    assert all(attribute in observation for attribute in product.attributes)


def test_the_task_is_a_section_of_its_own_and_never_altered():
    for observation, *_, info in visit(webshop(), 5, [0, 3, 4]):
        tasks = [section.text for section in info["sections"] if section.source == "task"]
        assert len(tasks) == 1
        assert info["task"] in tasks[0] in observation


def test_rich_shows_description_features_and_reviews_of_the_open_item():
    env = webshop("rich")
    env.reset(seed=4)
    env.step(env.unwrapped.expert_action())
    observation, *_ = env.step(env.unwrapped.expert_action())
    product = env.unwrapped._shop.catalogue.product(env.unwrapped._session.item)
    assert product.description in observation
    assert all(bullet.strip() in observation for bullet in product.bullets)
    assert all(review.body in observation for review in product.reviews)


def test_base_shows_no_features_before_they_are_asked_for():
    env = webshop("base")
    env.reset(seed=4)
    env.step(env.unwrapped.expert_action())
    observation, *_ = env.step(env.unwrapped.expert_action())
    product = env.unwrapped._shop.catalogue.product(env.unwrapped._session.item)
    assert not any(bullet.strip() in observation for bullet in product.bullets)
    observation, *_ = env.step("click[features]")
    assert all(bullet.strip() in observation for bullet in product.bullets)


@pytest.mark.parametrize("difficulty", PRESETS)
def test_splits_share_no_product(difficulty):
    def products(split):
        shop = preset_shop(difficulty, split)
        return {encoded(shop.catalogue.product(number)) for number in range(len(shop.catalogue))}

    found = [products(split) for split in SPLITS]
    assert len(set.union(*found)) == sum(len(products) for products in found)


@pytest.mark.parametrize("difficulty", PRESETS)
def test_splits_share_no_content_class(difficulty):
    def wished(split):
        return preset_shop(difficulty, split).clusters

    full = [{content_class(preset_shop(difficulty, split), cluster) for cluster in wished(split)} for split in SPLITS]
    assert len(set.union(*full)) == sum(len(found) for found in full)


def content_class(shop, family):
    """Return what the split of a family is decided by: its type, all attributes of its target, its wishes."""
    wished = tuple(group for group, _ in family.attributes)
    return kind_name(family.kind), shop.catalogue.product(family.target).attributes, wished


def test_held_out_types_appear_in_ood_types_only():
    held_out = {kind.plural for _, kind in TYPES if kind.held_out}
    for split in SPLITS:
        shop = preset_shop("easy", split)
        queries = {shop.catalogue.product(number).query for number in range(len(shop.catalogue))}
        assert (queries <= held_out) == (split == "ood_types")
        assert queries.isdisjoint(held_out) == (split != "ood_types")


def test_ood_phrasing_asks_for_what_test_asks_for_in_other_words():
    test, other = webshop(split="test"), webshop(split="ood_phrasing")
    for seed in range(LEVELS):
        test.reset(seed=seed)
        other.reset(seed=seed)
        assert test.unwrapped._level.target == other.unwrapped._level.target
        assert test.unwrapped._level.goal[1:] == other.unwrapped._level.goal[1:]
        assert test.unwrapped.task != other.unwrapped.task
        assert test.unwrapped.level_id != other.unwrapped.level_id


def test_level_ids_of_splits_never_meet():
    ids = {split: level_ids(webshop(split=split)) for split in (*SPLITS, "ood_phrasing")}
    assert len(set.union(*ids.values())) == sum(len(found) for found in ids.values())


def level_ids(env):
    return {env.reset(seed=seed)[1]["level_id"] for seed in range(LEVELS)}


def test_levels_differ_and_prices_limits_and_options_come_from_the_seed():
    env = webshop(difficulty="hard")
    assert len(level_ids(env)) == LEVELS
    assert level_ids(env) == level_ids(webshop("rich", difficulty="hard", page_format="text_rich"))


def test_plain_phrasing_is_the_originals_form():
    env = webshop(phrasing="plain", difficulty="medium")
    _, info = env.reset(seed=1)
    assert info["task"].startswith("Find me ")
    assert ", and price lower than " in info["task"]


def test_knobs_override_the_preset():
    env = webshop(n_attributes=3, n_options=0, n_confusables=4, price="none", n_products=200)
    env.reset(seed=1)
    goal = env.unwrapped._level.goal
    assert (len(goal.attributes), len(goal.options), goal.price_upper) == (3, 0, 1_000_000.0)


def test_a_pickled_environment_leaves_the_catalogue_behind():
    env = webshop(difficulty="hard")
    env.reset(seed=1)
    env.step(env.unwrapped.expert_action())
    assert len(pickle.dumps(env)) < 20_000


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"phrasing": "rude"}, "unknown phrasing 'rude'; choose one of: varied, plain"),
        ({"page_format": "html"}, "unknown page_format 'html'; choose one of: text, text_rich"),
        ({"options": "tuple"}, "unknown options 'tuple'; choose one of: list, original"),
        ({"price": "free"}, "unknown price 'free'; choose one of: none, loose, tight"),
        ({"n_options": 9}, "n_options=9 is out of range; choose an integer from 0 to 3"),
        ({"n_products": 1}, "n_products=1 is out of range"),
        ({"nouns": "verbs"}, "unknown nouns 'verbs'; choose one of: catalog, rules, spacy:<model>"),
        ({"human_goals": True}, "human_goals=True belongs to difficulty='paper' only; leave it out"),
        ({"nouns": 5}, "unknown nouns 5; choose one of: catalog, rules, spacy:<model>"),
        ({"difficulty": "paper", "data": 5}, "data=5 is no text; give the folder of the original's data"),
        ({"difficulty": "paper", "goals": 5}, "goals=5 is no text; give a JSON file of goals"),
        ({"human_goals": "no"}, "human_goals='no' is no flag; choose True or False (--set human_goals=true or false)"),
        ({"strict_search": "False"}, "strict_search='False' is no flag; choose True or False"),
        ({"show_attributes": 0}, "show_attributes=0 is no flag; choose True or False"),
        ({"data": "/tmp"}, "data='/tmp' belongs to difficulty='paper' only; leave it out"),
        ({"split": "ood_phrasing", "phrasing": "plain"}, "phrasing='plain' has one wording"),
        ({"difficulty": "paper", "n_options": 1}, "n_options=1 belongs to generated goals only; leave it out"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(knobs, message):
    with pytest.raises(SpecError) as raised:
        webshop(**knobs)
    assert message in str(raised.value)


def test_the_paper_preset_without_data_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("AGENTGEN_WEBSHOP_DATA", raising=False)
    with pytest.raises(DataError, match="agentgen-bench data webshop"):
        webshop(difficulty="paper")


@pytest.mark.parametrize("richness", RICHNESSES)
def test_the_golden_visit(golden, richness):
    env = webshop(richness, difficulty="medium", split="test")
    observation, _ = env.reset(seed=0)
    lines = [observation]
    for action in ("search[a lamp]", "click[next >]", "click[nothing]", "click[< prev]"):
        lines += [f"> {action}", env.step(action)[0]]
    for _ in range(2):
        action = env.unwrapped.expert_action()
        lines += [f"> {action}", env.step(action)[0]]
    for action in ("click[features]", "click[< prev]", "click[description]", "click[< prev]", "click[reviews]"):
        lines += [f"> {action}", env.step(action)[0]]
    terminated = False
    while not terminated:
        action = env.unwrapped.expert_action()
        observation, reward, terminated, *_ = env.step(action)
        lines += [f"> {action}", observation]
    golden(f"webshop-{richness}.txt", "\n".join([*lines, f"reward {reward}", ""]))
