"""The worlds of agentgen-bench under a name that verifiers finds: `vf-eval agentgen-verifiers`.

A plug-in of verifiers is a module at the top level, which exports what it has by `__all__`.
"""

from agentgen_bench.adapters.verifiers import World
from agentgen_bench.adapters.verifiers_harness import Asking
from agentgen_bench.adapters.verifiers_levels import Levels

__all__ = ["Asking", "Levels", "World"]
