"""What distractors look like beside a family's text, on fixed observations: reviewed as golden files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench import Section, render
from agentgen_bench.envs.alfworld.text import feedback_spans
from agentgen_bench.envs.sciworld.text import list_spans
from agentgen_bench.envs.webshop.text import _lines
from agentgen_bench.seeding import stream
from agentgen_bench.text import ENTRY, Entry, Richness
from agentgen_bench.wrappers import contextual, cross_env
from agentgen_bench.wrappers.contextual import Draws, episode_words
from agentgen_bench.wrappers.insertion import END, inserted, on_own_lines

LEAN, BASE, RICH = Richness
PRODUCT, REMARK = Entry("product", " [SEP] "), Entry("remark", "\n")
STATES = {
    "ALFWorld": (
        Section(
            "You arrive at shelf 1. On the shelf 1, you see a book 2, and a vase 1.", LEAN, "state", feedback_spans
        ),
        Section("\n\nYour task is to: put a book in drawer.", RICH, "task"),
        Section(("\nYou are carrying: nothing.", ENTRY), RICH, "state"),
    ),
    "Sokoban": (
        Section("Push the box onto the target.\n\n", BASE, "task"),
        Section("#####\n#PXO#\n#####", LEAN, "state"),
        Section("\n\n# wall, _ floor, O target, X box, P you\n", BASE, "task"),
        Section("Boxes on targets: 0 of 1. Actions: up, down, left, right.", BASE, "state"),
    ),
    "SciWorld": (
        Section("You move to the kitchen.", LEAN, "state"),
        Section(
            "\n\nThis room is called the kitchen. In it, you see: \n\tthe agent\n\ta cupboard\n\ta sink",
            BASE,
            "state",
            list_spans,
        ),
        Section("\n\nIn your inventory, you see:\n\tan orange", BASE, "state", list_spans),
    ),
    "WebShop": (
        Section("Instruction: [SEP] Find a mug. [SEP] ", BASE, "task"),
        Section("Back to Search [SEP] ", BASE, "state"),
        Section(
            ("Page 1 (Total results: 2) [SEP] Next > [SEP] B01 [SEP] Mug [SEP] $5", PRODUCT, " [SEP] B02"),
            LEAN,
            "state",
        ),
    ),
    "WebShop item": (
        Section(
            _lines("[button] < Prev [button_]\ncolor\n  [button] red [button_]\nMug\nPrice: $5\n", REMARK),
            LEAN,
            "state",
        ),
        Section(_lines("Rating: 4.1\n[button] Buy Now [button_]\n", REMARK), BASE, "state"),
    ),
}


def distracted(name, volume, look):
    """Return the observation with two states' worth of distractors in one look, and one of another look."""
    family = name.partition(" ")[0]
    chosen = cross_env.style(family) if look == "cross_env" else contextual.style(family)
    rng = stream("test", name, look)
    words = episode_words(chosen, {"book 2", "vase 1"}, rng)
    states = []
    for step in (0, 1):
        draws = Draws(step, rng.random((chosen.most(volume), 3)).tolist())
        states.append(render(inserted(STATES[name], chosen.write(STATES[name], volume, words, draws))))
    return states


@pytest.mark.parametrize("look", ["contextual", "cross_env"])
@pytest.mark.parametrize("name", sorted(STATES))
def test_distractors_read_as_in_the_golden_file(name, look, golden):
    states = distracted(name, 40, look)
    golden(f"wrappers/{name.lower().replace(' ', '-')}-{look}.txt", "\n\n--- next state\n\n".join(states) + "\n")


def test_a_split_section_keeps_richness_and_source():
    section = Section(("One.", ENTRY, " Two."), BASE, "history")
    parts = inserted([section], [((0, 2), " New.")])
    assert parts == (
        Section("One.", BASE, "history"),
        Section(" New.", LEAN, "distractor"),
        Section(" Two.", BASE, "history"),
    )


def test_pieces_of_one_spot_keep_their_order():
    end = (0, 1)
    assert render(inserted([Section("a", LEAN, "state")], [(end, "b"), (end, "c")])) == "abc"


def test_the_end_need_not_be_counted():
    sections = (Section(("a", ENTRY, "b"), LEAN, "state"), Section("c", LEAN, "state"))
    pieces = [((0, 2), "1"), ((0, END), "2"), ((1, 1), "3"), ((1, END), "4")]
    assert [section.text for section in inserted(sections, pieces)] == ["a", "1", "b", "2", "c", "34"]


@given(
    st.lists(st.lists(st.sampled_from(("", "a", "bc", ENTRY)), max_size=5).map(tuple), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from((0, 1, 2, 3, 4, 5, END)), st.sampled_from("xyz")), max_size=8
    ),
)
def test_what_is_put_in_stands_at_its_place_and_nothing_else_moves(spans, pieces):
    sections = tuple(Section(each, BASE, "state") for each in spans)
    own = [((i % len(spans), min(place, len(spans[i % len(spans)]))), text) for i, place, text in pieces]
    expected = ""
    for i, each in enumerate(spans):
        for k in range(len(each) + 1):
            expected += "".join(text for spot, text in own if spot == (i, k)) + "".join(each[k : k + 1])
    put = inserted(sections, own)
    assert render(put) == expected
    assert render(part for part in put if part.source == "state") == render(sections)
    assert all("".join(part.spans) == part.text for part in put)


def test_a_section_knows_its_places():
    section = Section(("One.", ENTRY, " Two.", ENTRY, ""), BASE, "state")
    assert section.places == (2, 4)
    assert Section("One.", BASE, "state").places == ()


def test_a_section_without_text_stays():
    empty = Section("", LEAN, "state")
    assert inserted([empty], [((0, 0), "x")]) == (Section("x", LEAN, "distractor"), empty)


@pytest.mark.parametrize(
    ("texts", "spot", "expected"),
    [
        (["ab"], (0, 0), "x\nab"),
        (["ab"], (0, 1), "ab\nx"),
        (["a", "\nb"], (0, 1), "a\nx\nb"),
        (["a\n", "b"], (0, 1), "a\nx\nb"),
        (["a", "b"], (1, 0), "a\nx\nb"),
    ],
)
def test_a_line_gets_the_breaks_it_needs(texts, spot, expected):
    sections = [Section(text, LEAN, "state") for text in texts]
    assert render(inserted(sections, [(spot, on_own_lines(sections, spot, "x"))])) == expected


def test_nothing_is_said_to_be_in_the_inventory():
    for seed in range(20):
        rng = stream("test", "inventory", seed)
        words = episode_words(contextual.SCIWORLD, (), rng)
        pieces = contextual.SCIWORLD.write(STATES["SciWorld"], 100, words, Draws(0, rng.random((10, 3)).tolist()))
        assert {section for (section, _), _ in pieces} == {1}
