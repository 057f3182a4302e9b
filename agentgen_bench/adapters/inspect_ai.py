"""Inspect: a task for each frozen suite, `inspect eval agentgen_bench/core-v1` (docs/adapters/inspect.md)."""

from functools import partial

from anyio.to_thread import run_sync
from inspect_ai import Task, task
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from agentgen_bench.adapters import measures
from agentgen_bench.adapters.inspect_messages import answer_of, conversation, samples
from agentgen_bench.adapters.inspect_tools import functions
from agentgen_bench.episodes import to_line
from agentgen_bench.prompts import ActionHints, PromptConfig, PromptJson, Protocol
from agentgen_bench.rows import session_of
from agentgen_bench.suites import load_suite, suite_names

SPREAD = [grouped(mean(), "setting", all="groups"), stderr(cluster="level")]


@solver  # type: ignore[untyped-decorator]
def play(prompt: PromptJson) -> Solver:
    """Play the sample's level under prompt settings, as manifests record them."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        session = session_of({**state.metadata, "repeat": state.epoch - 1}, PromptConfig.from_json(prompt))
        try:
            view = await run_sync(session.start)
            while not view.done:
                state.tools, state.messages = functions(session), conversation(view, state.messages)
                state = await generate(state, tool_calls="none")
                view = await run_sync(partial(session.answer, **answer_of(state.output)))
        finally:
            session.close()
            state.metadata |= {"measures": measures(session), "episode": to_line(session.episode())}
        return state

    return solve


@scorer(metrics={"success": SPREAD, "score": SPREAD, "return": [mean()]})  # type: ignore[untyped-decorator]
def outcome() -> Scorer:
    """Publish success, score and return of the episode."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=state.metadata["measures"])

    return score


def _register(suite: str) -> None:
    @task(name=suite)  # type: ignore[untyped-decorator]
    def made(protocol: Protocol = "window", action_hints: ActionHints = "templates", thinking: bool = True) -> Task:
        prompt = PromptConfig(protocol=protocol, action_hints=action_hints, thinking=thinking).to_json()
        return Task(samples(suite), solver=play(prompt), scorer=outcome(), metadata={"hash": load_suite(suite).hash})


for name in suite_names():
    _register(name)
