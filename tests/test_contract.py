"""What every registered id keeps. A new family adds an id, not tests: the checks ship in agentgen_bench.testing."""

import subprocess
import sys

import gymnasium as gym
import pytest

import agentgen_bench
from agentgen_bench import TaskSpec
from agentgen_bench.families import BUILT_IN, EVALUATION_ONLY
from agentgen_bench.testing import FAMILY_CHECKS, ID_CHECKS, ContractError, check_family, run_check

FAMILIES = (*BUILT_IN, *EVALUATION_ONLY)
IDS = [f"AgentGen/{family}{richness}-v0" for family in FAMILIES for richness in ("", "-lean", "-base", "-rich")]


def named(check):
    return check.__name__


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("check", ID_CHECKS, ids=named)
def test_an_id_keeps_the_contract(check, env_id):
    run_check(check, env_id)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("check", FAMILY_CHECKS, ids=named)
def test_a_family_keeps_the_contract(check, family):
    run_check(check, f"AgentGen/{family}-base-v0")


def test_the_built_in_ids_are_registered():
    assert set(IDS) <= set(gym.registry)


def test_one_call_runs_them_all():
    check_family("AgentGen/Sokoban-base-v0")


def test_a_fault_is_named_with_its_check(monkeypatch):
    monkeypatch.setattr("agentgen_bench.envs.sokoban.env.SokobanEnv.difficulties", ("easy",))
    message = r"the_record_is_true, AgentGen/Sokoban-v0: difficulties in record and class: expected \('easy', 'medium'"
    with pytest.raises(ContractError, match=message):
        check_family("AgentGen/Sokoban-v0")


def test_importing_the_package_loads_nothing_heavy():
    program = "import sys, agentgen_bench; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "transformers", "vllm", "scienceworld", "py4j", "textworld", "alfworld", "requests", "rapidfuzz"}
    assert heavy.isdisjoint(loaded)
    assert agentgen_bench.__version__
    assert TaskSpec("Sokoban").env_id in IDS
