import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.seeding import key_digest, seed_from, stream
from agentgen_bench.text import Richness

keys = st.lists(st.text(max_size=5) | st.integers(), min_size=1, max_size=3).map(tuple)


@given(keys, keys)
def test_different_keys_give_different_streams(first, second):
    assert (key_digest(*first) == key_digest(*second)) == (first == second)


def test_joined_and_split_strings_are_different_keys():
    assert key_digest("ab", "c") != key_digest("a", "bc")


def test_a_stream_is_the_same_in_another_process_under_another_hash_seed():
    program = "from agentgen_bench.seeding import stream; print(stream('a', 1).integers(2**62))"
    outputs = {
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{stream('a', 1).integers(2**62)}\n".encode()}


def test_seed_from_fits_gymnasium():
    assert 0 <= seed_from("a") < 2**31


@given(st.lists(st.text() | st.integers() | st.booleans() | st.sampled_from(Richness), max_size=4).map(tuple))
def test_a_key_is_hashed_as_its_json(key):
    assert key_digest(*key) == hashlib.sha256(json.dumps(key).encode()).digest()


def test_what_json_cannot_hold_is_no_part_of_a_key():
    with pytest.raises(TypeError, match="int64 is not JSON serializable"):
        key_digest("level", np.int64(3))
