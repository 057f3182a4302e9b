import json

import pytest
from hypothesis import given

from agentgen_bench.errors import SpecError
from agentgen_bench.make import make
from agentgen_bench.spec import TaskSpec
from agentgen_bench.text import Richness
from tests.strategies import specs


@given(specs)
def test_a_spec_survives_json(spec):
    assert TaskSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@given(specs)
def test_a_spec_survives_its_id_and_kwargs(spec):
    again = TaskSpec.from_env_id(spec.env_id, **spec.kwargs)
    assert again == spec


@given(specs, specs)
def test_different_specs_have_different_labels(first, second):
    assert (first.label == second.label) == (first == second)


def test_the_short_id_is_base():
    assert TaskSpec.from_env_id("AgentGen/Sokoban-v0") == TaskSpec.from_env_id("AgentGen/Sokoban-base-v0")


def test_an_id_with_its_module_is_the_same_id():
    spec = TaskSpec.from_env_id("agentgen_bench:AgentGen/Sokoban-rich-v0", size=8)
    assert (spec.richness, spec.knobs) == (Richness.RICH, (("size", 8),))


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Sokoban", "unknown environment id 'Sokoban'; ids look like 'AgentGen/Sokoban-rich-v0'"),
        (f"AgentGen/Sokoban-rich-v{'9' * 5000}", "unknown environment id 'AgentGen/Sokoban-rich-v9999"),
        ("AgentGen/Chess-rich-v0", "unknown family 'Chess'; choose one of: Sokoban, WebShop, ALFWorld, SciWorld"),
        ("AgentGen/Sokoban-huge-v0", "unknown richness 'huge'; choose one of: lean, base, rich"),
        (
            "AgentGen/Sokoban-rich-v9",
            "Sokoban v9 cannot be made by agentgen-bench .*, which has v0; install",
        ),
    ],
    ids=lambda value: value[:30],
)
def test_a_wrong_id_says_what_would_be_right(env_id, message):
    with pytest.raises(SpecError, match=message):
        make(env_id)


def test_a_change_that_is_no_field_is_a_knob_beside_the_others():
    spec = TaskSpec("Sokoban", knobs=[("boxes", 1), ("size", 7)]).with_(size=8, richness="rich")
    assert spec == TaskSpec("Sokoban", richness="rich", knobs=[("boxes", 1), ("size", 8)])
    assert TaskSpec("Sokoban").with_(knobs=[("boxes", 2)], size=8).knobs == (("boxes", 2), ("size", 8))


def test_make_takes_a_knob_beside_a_spec():
    assert make(TaskSpec("Sokoban"), size=8).reset(seed=1) == make("AgentGen/Sokoban-v0", size=8).reset(seed=1)
    with pytest.raises(SpecError, match="Sokoban has no knob 'colour'; its knobs are: "):
        make(TaskSpec("Sokoban"), colour="red")


def test_a_knob_that_is_no_plain_value_is_refused():
    with pytest.raises(SpecError, match="a knob holds plain values only, got"):
        TaskSpec.from_env_id("AgentGen/Sokoban-v0", size={1})


@pytest.mark.parametrize("name", ["version", "family", "split", "difficulty", "interface"])
def test_a_field_of_the_setting_is_no_knob_of_the_family(name):
    with pytest.raises(SpecError, match=f"'{name}' is a field of the setting and no knob of the family"):
        TaskSpec("Sokoban", knobs=[(name, "test")])


@pytest.mark.parametrize("name", ["cls", "env_id", "self"])
def test_a_knob_may_have_any_name_and_the_family_says_that_it_has_none(name):
    with pytest.raises(SpecError, match=f"Sokoban has no knob '{name}'"):
        make(TaskSpec.from_env_id("AgentGen/Sokoban-v0", **{name: 1}))


@pytest.mark.parametrize("name", ["difficulty", "split"])
def test_a_field_that_is_no_name_is_refused(name):
    with pytest.raises(SpecError, match=rf"{name} is \[1\]; give a name"):
        TaskSpec.from_env_id("AgentGen/Sokoban-v0", **{name: [1]})


@pytest.mark.parametrize("data", [{}, [], {"env_id": "AgentGen/Sokoban-v0"}])
def test_json_that_is_no_spec_is_refused(data):
    with pytest.raises(SpecError, match="not a task spec"):
        TaskSpec.from_json(data)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"env_id": 5}, "unknown environment id 5; ids look like 'AgentGen/Sokoban-rich-v0'"),
        ({"knobs": []}, r"not a task spec: its knobs \[\] is no mapping from names to values"),
        ({"knobs": {1: 2, "size": 8}}, "not a task spec: its knobs {1: 2, 'size': 8} is no mapping from names"),
        ({5: 1}, r"not a task spec: expected the keys .*, got \['5', "),
    ],
)
def test_json_with_a_field_of_another_type_is_refused(wrong, message):
    with pytest.raises(SpecError, match=message):
        TaskSpec.from_json({**TaskSpec("Sokoban").to_json(), **wrong})
