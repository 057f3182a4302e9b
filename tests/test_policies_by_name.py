import pytest

from agentgen_bench.errors import SpecError
from agentgen_bench.policies.base import PrivilegedPolicy
from agentgen_bench.policies.names import SCRIPTED, scripted_policy


@pytest.mark.parametrize("name", SCRIPTED)
def test_a_policy_has_the_name_it_is_asked_for_by(name):
    assert scripted_policy(name).name == name


def test_the_oracle_alone_sees_the_environment():
    privileged = [name for name in SCRIPTED if isinstance(scripted_policy(name), PrivilegedPolicy)]
    assert privileged == ["oracle"]


def test_an_unknown_policy_is_refused():
    with pytest.raises(SpecError, match=r"unknown policy 'psychic'; choose one of: random, noop, oracle"):
        scripted_policy("psychic")
