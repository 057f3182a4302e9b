"""An interface renames actions and touches nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench import TaskSpec, make, render
from agentgen_bench.contract import text_task
from agentgen_bench.envs.alfworld.text import feedback_spans
from agentgen_bench.envs.base import NO_ACTION
from agentgen_bench.envs.sciworld.text import answer_spans, task_spans
from agentgen_bench.errors import SpecError
from agentgen_bench.families import BUILT_IN, family
from agentgen_bench.spec import InterfaceSpec
from agentgen_bench.text import Button, Command, Listing
from agentgen_bench.wrappers.aliases import Naming, command_translator, naming, span_translator
from agentgen_bench.wrappers.banks import bank
from agentgen_bench.wrappers.interface import Interface
from tests.wrappers.playing import EACH_FAMILY, FAMILIES, env_of, expert_plan, played, richnesses, scripts, seeds
from tests.wrappers.test_distractors import proof

ALL_FAMILIES = ["ALFWorld", "SciWorld", "Sokoban", "WebShop"]
schemes = st.builds(InterfaceSpec, st.sampled_from(["synonym", "opaque"]), st.integers(0, 9))


def wrapped(family, richness, chosen):
    """Return an environment with the interface; the bare one inside is shared, so play one after the other."""
    return Interface(env_of(TaskSpec(family, richness=richness)), chosen.aliases, chosen.seed)


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(richnesses, seeds, scripts, schemes)
def test_an_original_transcript_maps_to_the_aliases_and_back(family, richness, seed, script, chosen):
    bare = played(env_of(TaskSpec(family, richness=richness)), seed, script)
    env = wrapped(family, richness, chosen)
    renamed = played(env, seed, [env.aliased(action) for action in bare.actions])
    back = span_translator(naming(family, chosen.aliases, chosen.seed).inverse())
    assert [
        step._replace(
            admissible_commands=tuple(env.original(command) for command in step.admissible_commands),
            task="".join(back(env.task_spans)),
        )
        for step in renamed.dynamics
    ] == bare.dynamics
    texts = ["".join("".join(back(section.spans)) for section in sections) for sections in renamed.sections]
    assert texts == bare.observations


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(richnesses, seeds, scripts, schemes)
def test_the_observation_is_its_sections_and_fits_the_space(family, richness, seed, script, chosen):
    env = wrapped(family, richness, chosen)
    record = played(env, seed, script)
    assert record.observations == [render(sections) for sections in record.sections]
    assert all(observation in env.observation_space for observation in record.observations)


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(seeds, scripts, schemes)
def test_original_commands_are_invalid_and_use_up_a_step(family, seed, script, chosen):
    env = wrapped(family, "base", chosen)
    _, info = env.reset(seed=seed)
    before = info["admissible_commands"]
    for command in [env.original(command) for command in before[:3]]:
        _, _, _, _, info = env.step(command)
        assert not info["is_action_valid"]
    assert info["admissible_commands"] == before


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(seeds, schemes)
def test_no_original_action_word_is_left_in_commands_and_templates(family, seed, chosen):
    env = wrapped(family, "base", chosen)
    _, info = env.reset(seed=seed)
    words = naming(family, chosen.aliases, chosen.seed).words
    old = re.compile(rf"(?:{'|'.join(map(re.escape, words))})(?![^\s\[])")
    assert not [c for c in (*info["admissible_commands"], *env.action_templates) if old.match(c)]


@pytest.mark.parametrize(
    ("family", "spans", "expected"),
    [
        (
            "Sokoban",
            ("Actions: ", Listing([Command("up"), Command("left")]), ".\nWalk up."),
            "Actions: UP, LEFT.\nWalk up.",
        ),
        ("Sokoban", ("\n- ", Command("up"), ": you go up"), "\n- UP: you go up"),
        ("ALFWorld", feedback_spans("You open the box 1."), "You open the box 1."),
        ("ALFWorld", feedback_spans("Available commands:\n  look:  look"), "Available commands:\n  LOOK:  look"),
        ("ALFWorld", ("now: ", Command("go to", " bed 1"), ", ", Command("look")), "now: GOTO bed 1, LOOK"),
        ("SciWorld", task_spans("First, focus on the thing. Focus on it."), "First, FOCUSON the thing. FOCUSON it."),
        ("SciWorld", answer_spans("Your task is to focus on it."), "Your task is to FOCUSON it."),
        (
            "SciWorld",
            answer_spans("Ambiguous request: which\n0:\tpick up cup\n1:\tlook around\n"),
            "Ambiguous request: which\n0:\tPICKUP cup\n1:\tLOOKAROUND\n",
        ),
        ("SciWorld", answer_spans("You see:\n\topen door"), "You see:\n\topen door"),
        (
            "WebShop",
            (Button("Search"), " [SEP] ", Button("Features"), " [SEP] Reviews of it"),
            "<SEARCH> [SEP] <FEATURES> [SEP] Reviews of it",
        ),
        ("WebShop", ("[button] ", Button("Buy Now"), " [button_]\nBuy Now"), "[button] <BUY NOW> [button_]\nBuy Now"),
    ],
)
def test_names_change_where_the_text_names_actions_and_nowhere_else(family, spans, expected):
    original = naming(family, "opaque", 0)
    loud = Naming(
        {word: word.replace(" ", "").upper() for word in original.words},
        {label: f"<{label.upper()}>" for label in original.buttons},
    )
    assert "".join(span_translator(loud)(tuple(spans))) == expected


@pytest.mark.parametrize("aliases", ["synonym", "opaque"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_template_and_admissible_command_has_an_alias(family, aliases):
    env = wrapped(family, "base", InterfaceSpec(aliases, 3))
    _, info = env.reset(seed=2)
    bare = env_of(TaskSpec(family))
    for command in text_task(bare).action_templates:
        assert env.aliased(command) != command
    assert all(env.original(command) != NO_ACTION for command in info["admissible_commands"])


@pytest.mark.parametrize("aliases", ["synonym", "opaque"])
@pytest.mark.parametrize("family", EACH_FAMILY)
def test_the_experts_plan_is_the_same_in_other_words(family, aliases):
    env = wrapped(family, "base", InterfaceSpec(aliases, 4))
    plan = expert_plan(env, 1)
    assert [env.original(action) for action in plan] == expert_plan(env_of(TaskSpec(family)), 1)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_names_differ_between_seeds_and_agree_within_one(family):
    assert naming(family, "opaque", 1) == naming(family, "opaque", 1)
    assert naming(family, "opaque", 1) != naming(family, "opaque", 2)
    assert naming(family, "synonym", 1) != naming(family, "synonym", 4)


@pytest.mark.parametrize("aliases", ["synonym", "opaque"])
@pytest.mark.parametrize("family", ALL_FAMILIES)
@given(seed=st.integers(0, 2**31))
def test_a_naming_is_one_to_one_and_keeps_no_original_word(family, aliases, seed):
    names = naming(family, aliases, seed)
    for table in names:
        assert len(set(table.values())) == len(table)
        assert not {word.lower() for word in table} & {word.lower() for word in table.values()}


def test_no_synonym_is_anothers_word_or_synonym():
    for name in BUILT_IN:
        for table in (family(name).actions.words, family(name).actions.buttons):
            everything = [text.lower() for word in table for text in (word.name, *word.synonyms)]
            assert len(set(everything)) == len(everything), name


def test_the_made_up_words_suffice_and_are_no_words_of_the_synonym_bank():
    assert len(set(bank("opaque"))) == len(bank("opaque")) >= 60
    known = repr([family(name).actions for name in BUILT_IN]).lower()
    assert not [word for word in bank("opaque") if word in known]


@pytest.mark.parametrize(
    ("family", "action", "is_read"),
    [
        ("ALFWorld", "  {look}", True),
        ("ALFWorld", "{go to}  Cabinet 1.", True),
        ("ALFWorld", "{look}.", False),
        ("ALFWorld", "{LOOK}", False),
        ("Sokoban", "{UP}", True),
        ("Sokoban", "{up}.", False),
        ("SciWorld", "{WAIT}", True),
        ("WebShop", "{search}[Lamp].", True),
        ("WebShop", "{SEARCH}[lamp]", False),
        ("WebShop", " {search}[lamp]", False),
    ],
)
def test_an_alias_is_read_more_strictly_than_its_word_as_docs_parsing_md_says(family, action, is_read):
    words = naming(family, "opaque", 0).words
    names = {**words, **{word.upper(): alias.upper() for word, alias in words.items()}}
    translated = command_translator(family, naming(family, "opaque", 0).inverse())(action.format_map(names))
    assert (translated is not None) == is_read


def test_a_label_has_nothing_but_its_brackets_around_it_as_docs_parsing_md_says():
    names = naming("WebShop", "opaque", 0)
    click, label = names.words["click"], names.buttons["Buy Now"]
    original = command_translator("WebShop", names.inverse())
    assert original(f"{click}[{label.upper()}]") == "click[buy now]"
    assert original(f"{click}[ {label}]") == f"click[ {label}]"
    assert original(f"{click}[{label}].") == f"click[{label}]."


def test_original_changes_nothing():
    spec = TaskSpec("Sokoban", interface=InterfaceSpec("original", 5))
    assert spec.interface_spec is None
    bare = env_of(TaskSpec("Sokoban"))
    assert played(Interface(bare, "original"), 0, [0, "up", 1]) == played(bare, 0, [0, "up", 1])


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"aliases": "silly"}, "unknown aliases 'silly'; choose one of: original, synonym, opaque"),
        ({"seed": -3}, "interface seed -3 is out of range; choose an integer from 0"),
    ],
)
def test_wrong_settings_are_refused(settings_, message):
    with pytest.raises(SpecError, match=message):
        make(TaskSpec("Sokoban", interface=InterfaceSpec(**settings_)))


@pytest.mark.parametrize("seed", [-3, "x", [1]])
def test_a_wrong_seed_of_an_episodes_names_is_refused(seed):
    env = Interface(env_of(TaskSpec("Sokoban")), "opaque")
    with pytest.raises(SpecError, match=r"interface seed .* is out of range; choose an integer from 0"):
        env.reset(seed=0, options={"interface_seed": seed})


def test_an_unknown_interface_is_refused_with_the_choices():
    with pytest.raises(SpecError, match="unknown interface 'klingon'; choose one of: original, synonym, opaque"):
        make(TaskSpec("Sokoban", interface="klingon"))
