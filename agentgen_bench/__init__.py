"""agentgen-bench: text environments for measuring what an LLM agent generalizes.

Importing registers the ids `AgentGen/{Family}-v0` and `AgentGen/{Family}-{lean,base,rich}-v0` with Gymnasium.
"""

import gymnasium as gym

from agentgen_bench.make import make
from agentgen_bench.spec import NAMESPACE, VERSIONS, TaskSpec
from agentgen_bench.text import Richness, Section, render

__version__ = "0.1.0"
__all__ = ["Richness", "Section", "TaskSpec", "make", "render"]

ENTRY_POINTS = {
    "Sokoban": "agentgen_bench.envs.sokoban.env:SokobanEnv",
    "WebShop": "agentgen_bench.envs.webshop.env:WebShopEnv",
    "ALFWorld": "agentgen_bench.envs.alfworld.env:ALFWorldEnv",
    "SciWorld": "agentgen_bench.envs.scienceworld.env:SciWorldEnv",
}
VECTOR_ENTRY_POINTS = {
    "Sokoban": "agentgen_bench.envs.sokoban.vector:SokobanVectorEnv",
}


def _register() -> None:
    for family, entry_point in ENTRY_POINTS.items():
        for suffix, richness in [("", "base"), *((f"-{level.label}", level.label) for level in Richness)]:
            gym.register(
                f"{NAMESPACE}/{family}{suffix}-v{VERSIONS[family]}",
                entry_point=entry_point,
                vector_entry_point=VECTOR_ENTRY_POINTS.get(family),
                kwargs={"richness": richness},
                order_enforce=True,
                disable_env_checker=True,
            )


_register()
