"""YAML by hand: what stands there twice is an error, what stands for something else is read as YAML has it."""

import pytest

from agentgen_bench.errors import SpecError
from agentgen_bench.yaml_text import plain_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", None),
        ("a: 1\nb: {a: 2, 1: 3, '1': 4}", {"a": 1, "b": {"a": 2, 1: 3, "1": 4}}),
        ("a: &all {x: 1, y: 2}\nb: {<<: *all, x: 3}", {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}),
    ],
    ids=["nothing", "one key in several places", "anchors"],
)
def test_what_is_there_once_is_read(text, values):
    assert plain_values(text, "file", "it needs keys", SpecError) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 1", "file, line 3: the key 'a' is there twice; leave one out"),
        ("- {a: {b: 1,\n   b: 2}}", "file, line 2: the key 'b' is there twice"),
        ("a: &all {x: 1}\nb: {<<: *all, <<: *all}", "file, line 2: the key '<<' is there twice"),
        ("a: \x00", "file is not YAML: "),
        ("a: &a [*b]", "file is not YAML: "),
    ],
)
def test_what_is_there_twice_or_is_no_yaml_is_one_line(text, message):
    with pytest.raises(SpecError) as error:
        plain_values(text, "file", "it needs keys", SpecError)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
