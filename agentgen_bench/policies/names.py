"""The policies that `--policy NAME` knows: they need no model."""

from importlib import import_module

from agentgen_bench.checks import chosen
from agentgen_bench.policies.base import Player, Policy, PrivilegedPolicy
from agentgen_bench.policies.demonstrators import FACT_FINDERS, FAMILY_DEMONSTRATORS, Demonstrator, FactFinder, Imitable
from agentgen_bench.policies.scripted import NoopPolicy, OraclePolicy, RandomPolicy
from agentgen_bench.prompts import PromptConfig

# Reference players of one family, read from their own module when asked for: (module, class).
FAMILY_PLAYERS: dict[str, tuple[str, str]] = {
    "sokoban-planner": FAMILY_DEMONSTRATORS["Sokoban"],
    "webshop-reader": FAMILY_DEMONSTRATORS["WebShop"],
    "alfworld-list-searcher": FAMILY_DEMONSTRATORS["ALFWorld"],
    "sciworld-reader": FAMILY_DEMONSTRATORS["SciWorld"],
    "alfworld-housekeeper": FACT_FINDERS["ALFWorld"],
    "sokoban-rule-finder": FACT_FINDERS["Sokoban"],
    "sciworld-assayer": FACT_FINDERS["SciWorld"],
    "webshop-regular": FACT_FINDERS["WebShop"],
    "alfworld-searcher": ("agentgen_bench.policies.alfworld_searcher", "ALFWorldSearcher"),
    "sokoban-word-finder": ("agentgen_bench.policies.sokoban_word_finder", "SokobanWordFinder"),
    "webshop-first-hit": ("agentgen_bench.policies.webshop_shoppers", "BuyFirstHit"),
    "webshop-read-all-ten": ("agentgen_bench.policies.webshop_shoppers", "ReadAllTen"),
}
# Policies that decide from what a prompt may show, and whose clones can be asked to do so too.
DEMONSTRATORS = (DEMONSTRATOR := Demonstrator.name, FactFinder.name, *FAMILY_PLAYERS)
SCRIPTED = ("random", "noop", "oracle", *DEMONSTRATORS)


def scripted_policy(name: str, seed: int = 0) -> Policy | PrivilegedPolicy:
    """Return the policy of that name; `seed` decides the draws of the random one."""
    if name == "random":
        return RandomPolicy(seed)
    if name == "noop":
        return NoopPolicy()
    if name == "oracle":
        return OraclePolicy()
    if name == DEMONSTRATOR:
        return Demonstrator()
    if name == FactFinder.name:
        return FactFinder()
    module, player = FAMILY_PLAYERS[chosen("policy", name, SCRIPTED)]
    policy: Policy = getattr(import_module(module), player)()
    return policy


def to_be_imitated(policy: Player, prompt: PromptConfig) -> Player:
    """Return the policy for collecting demonstrations: a demonstrator is held to what the prompt shows.

    Others are returned as they are. A model has read the prompt; the oracle and the random policy have not, and who
    collects them has to know.
    """
    return Imitable(policy, prompt) if isinstance(policy, Policy) and policy.name in DEMONSTRATORS else policy
