import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.seeding import key_digest, seed_from, stream

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
