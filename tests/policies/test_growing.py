"""Keys and values that grow in place are those of transformers' own layers, whatever is appended and dropped."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers import DynamicCache  # noqa: E402
from transformers.cache_utils import DynamicSlidingWindowLayer  # noqa: E402

from agentgen_bench.policies.growing import ROOM, GrowingLayer, grow_in_place, with_prefixes  # noqa: E402
from agentgen_bench.policies.prefixes import Prefix  # noqa: E402

# Tokens appended at once, or rows to go on with: some or all of them, in any order.
EVENTS = st.lists(st.one_of(st.integers(1, ROOM + 3), st.permutations(range(4))), max_size=12)


@given(EVENTS)
def test_appending_and_choosing_rows_give_what_the_copying_layers_hold(events):
    rows, numbers = 4, torch.Generator().manual_seed(0)
    plain, growing = DynamicCache(), DynamicCache()
    first = torch.rand(2, rows, 2, 5, 3, generator=numbers)
    for cache in (plain, growing):
        cache.update(first[0], first[1], 0)
    grow_in_place(growing)
    for event in events:
        if isinstance(event, list):
            keep = torch.tensor([row for row in event if row < rows][: max(1, event[0])])
            rows = len(keep)
            plain.batch_select_indices(keep)
            growing.batch_select_indices(keep)
        else:
            new = torch.rand(2, rows, 2, event, 3, generator=numbers)
            returned = plain.update(new[0], new[1], 0), growing.update(new[0], new[1], 0)
            assert all(torch.equal(a, b) for a, b in zip(*returned, strict=True))
        assert torch.equal(plain.layers[0].keys, growing.layers[0].keys)
        assert torch.equal(plain.layers[0].values, growing.layers[0].values)
        assert plain.get_seq_length() == growing.get_seq_length()


def test_one_more_token_is_written_where_room_is_and_nothing_is_copied():
    cache = DynamicCache()
    for _ in range(2):
        cache.update(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), 0)
    grow_in_place(cache)
    cache.update(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), 0)
    before = cache.layers[0].keys.data_ptr()
    for _ in range(ROOM):
        cache.update(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), 0)
    assert cache.layers[0].keys.data_ptr() == before


def test_rows_that_stay_where_they_are_are_not_copied():
    cache = DynamicCache()
    cache.update(torch.rand(3, 1, 2, 4), torch.rand(3, 1, 2, 4), 0)
    grow_in_place(cache)
    layer = cache.layers[0]
    last, before = layer.keys[2].clone(), layer.keys.data_ptr()
    cache.batch_select_indices(torch.tensor([0, 2]))
    assert layer.keys.data_ptr() == before
    assert torch.equal(layer.keys[1], last)


def test_layers_that_forget_stay_as_they_are():
    cache = DynamicCache()
    cache.layers = [DynamicSlidingWindowLayer(4)]
    grow_in_place(cache)
    assert not isinstance(cache.layers[0], GrowingLayer)


def test_prefixes_stand_at_the_end_of_what_is_read_and_have_room_behind():
    numbers = torch.Generator().manual_seed(0)
    long, short = (torch.rand(2, 3, length, 4, generator=numbers) for length in (5, 2))
    prefixes = [Prefix(np.arange(len(t[0, 0])), ((t[0], t[1]),)) for t in (long, short)]
    cache = with_prefixes([prefixes[0], None, prefixes[1]], 5, 2)
    assert cache.get_seq_length() == 5
    layer = cache.layers[0]
    assert torch.equal(layer.keys[0], long[0])
    assert torch.equal(layer.values[2, :, 3:], short[1])
    assert not layer.keys[1].any()
    before = layer.keys.data_ptr()
    new = torch.rand(3, 3, 2 + ROOM, 4, generator=numbers)
    keys, values = cache.update(new, new, 0)
    assert keys.data_ptr() == before
    assert torch.equal(keys[:, :, 5:], new)
    assert torch.equal(values[0, :, :5], long[1])
