"""agentgen-bench: text environments for measuring what an LLM agent generalizes.

Importing registers the ids `AgentGen/{Family}-v0` and `AgentGen/{Family}-{lean,base,rich}-v0` with Gymnasium.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from agentgen_bench import families
from agentgen_bench.families import Family
from agentgen_bench.make import make
from agentgen_bench.spec import NAMESPACE, DistractorSpec, FaultSpec, InterfaceSpec, LifecycleSpec, TaskSpec
from agentgen_bench.text import Richness, Section, render

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Decision",
    "DistractorSpec",
    "Episode",
    "Family",
    "FaultSpec",
    "History",
    "InterfaceSpec",
    "LifecycleSpec",
    "Plan",
    "Policy",
    "PromptConfig",
    "Richness",
    "Run",
    "Score",
    "Section",
    "Session",
    "Suite",
    "TaskSpec",
    "compare",
    "difficulty_slope",
    "difficulty_transfer",
    "evaluate",
    "failure_scores",
    "load_agent",
    "load_policy",
    "load_suite",
    "make",
    "play",
    "read_run",
    "recovery",
    "register",
    "render",
    "results",
    "score_study",
    "scripted_policy",
    "single_plan",
    "suite_plan",
]

if TYPE_CHECKING:
    from agentgen_bench.episodes import Episode
    from agentgen_bench.evaluation.folder import Run, read_run
    from agentgen_bench.evaluation.plan import Plan, single_plan, suite_plan
    from agentgen_bench.evaluation.run import evaluate
    from agentgen_bench.policies.agent_loading import load_agent
    from agentgen_bench.policies.agents import Answer
    from agentgen_bench.policies.base import Decision, Policy
    from agentgen_bench.policies.loading import load_policy
    from agentgen_bench.policies.names import scripted_policy
    from agentgen_bench.prompts import History, PromptConfig
    from agentgen_bench.rollout import play
    from agentgen_bench.scores.base import Score
    from agentgen_bench.scores.comparison import compare
    from agentgen_bench.scores.difficulty import difficulty_slope, difficulty_transfer, recovery
    from agentgen_bench.scores.failures import failure_scores
    from agentgen_bench.scores.study_scores import score_study
    from agentgen_bench.scores.success import results
    from agentgen_bench.session import Session
    from agentgen_bench.suites import Suite, load_suite

_LATER = {  # imported when they are asked for: registering the ids must stay light
    "agentgen_bench.episodes": ("Episode",),
    "agentgen_bench.evaluation.folder": ("Run", "read_run"),
    "agentgen_bench.evaluation.plan": ("Plan", "single_plan", "suite_plan"),
    "agentgen_bench.evaluation.run": ("evaluate",),
    "agentgen_bench.policies.agent_loading": ("load_agent",),
    "agentgen_bench.policies.agents": ("Answer",),
    "agentgen_bench.policies.base": ("Decision", "Policy"),
    "agentgen_bench.policies.loading": ("load_policy",),
    "agentgen_bench.policies.names": ("scripted_policy",),
    "agentgen_bench.prompts": ("History", "PromptConfig"),
    "agentgen_bench.rollout": ("play",),
    "agentgen_bench.scores.base": ("Score",),
    "agentgen_bench.scores.comparison": ("compare",),
    "agentgen_bench.scores.difficulty": ("difficulty_slope", "difficulty_transfer", "recovery"),
    "agentgen_bench.scores.failures": ("failure_scores",),
    "agentgen_bench.scores.study_scores": ("score_study",),
    "agentgen_bench.scores.success": ("results",),
    "agentgen_bench.session": ("Session",),
    "agentgen_bench.suites": ("Suite", "load_suite"),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def register(family: Family) -> None:
    """Register the ids of every version of a family with Gymnasium; done here for all that are found on import."""
    for version in family.versions:
        for suffix, richness in [("", "base"), *((f"-{level.label}", level.label) for level in Richness)]:
            gym.register(
                f"{NAMESPACE}/{family.name}{suffix}-v{version.number}",
                entry_point=f"agentgen_bench.entries:{family.name}_v{version.number}",
                vector_entry_point=f"agentgen_bench.entries:{family.name}_v{version.number}_vector",
                kwargs={"richness": richness},
                order_enforce=False,  # the environments say so themselves, the same in a vector
                disable_env_checker=True,
            )


for _name in families.names():
    register(families.family(_name))
