"""The engines behind OpenAI's API that we know: what each adds to sampling by itself, and how it shows its template."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agentgen_bench.policies.http import Answer
from agentgen_bench.policies.sampling import Sampling

Parameters = dict[str, object]  # of a request, by the server's names for them: plain JSON


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine takes besides OpenAI's parameters.

    `neutral` holds the parameters that it would otherwise take from the model's generation_config or from defaults of
    its own, with the values that change nothing; `all_tokens` is what its `top_k` calls all tokens. `has_switch` says
    that it hands `chat_template_kwargs` to the model's chat template.
    """

    neutral: Mapping[str, float] = field(default_factory=dict)
    all_tokens: int | None = None
    has_switch: bool = False


ENGINES: dict[str, Engine] = {
    "vllm": Engine({"min_p": 0.0, "repetition_penalty": 1.0}, -1, True),
    "sglang": Engine({"min_p": 0.0, "repetition_penalty": 1.0}, -1, True),
    # llama.cpp: top_k 40, top_p .95, min_p .05, temperature .8 unless the request says otherwise.
    "llamacpp": Engine({"min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0}, 0, True),
    "lmdeploy": Engine({"min_p": 0.0, "repetition_penalty": 1.0}, 0, False),
}
OTHER = Engine()
ADDED_BY_SERVERS = ("top_k", "min_p", "repetition_penalty")


class Served(NamedTuple):
    """What a server's list of models says: the engine (`owned_by`) and the context in tokens; None: it does not say."""

    owner: str | None = None
    context_tokens: int | None = None

    @property
    def engine(self) -> Engine:
        """The engine's entry in the table."""
        return ENGINES.get(self.owner or "", OTHER)


def sampling_parameters(sampling: Sampling, engine: Engine) -> Parameters:
    """Return the sampling parameters of a request, without seed and length.

    To an engine we know everything is said, so that it adds nothing. To any other what is usual anyway is left out:
    hosted models refuse parameters, and their own top_k and penalties cannot be known.
    """
    parameters: Parameters = {"temperature": sampling.temperature}
    if sampling.top_p != 1 or engine.all_tokens is not None:
        parameters["top_p"] = sampling.top_p
    if sampling.top_k is not None:
        parameters["top_k"] = sampling.top_k
    elif engine.all_tokens is not None:
        parameters["top_k"] = engine.all_tokens
    return {**parameters, **engine.neutral}


def models_of(answer: Answer) -> dict[str, Served]:
    """Return the models that an answer to GET /models lists, by name; empty where it lists none."""
    listed = answer.body.get("data") if answer.is_success else None
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    by_name = {str(row["id"]): row for row in rows if isinstance(row.get("id"), str)}
    return {name: _served(row, by_name) for name, row in by_name.items()}


def _served(row: Mapping[str, Any], by_name: Mapping[str, Mapping[str, Any]]) -> Served:
    """Return what a row says; an adapter (LoRA) has its parent's length."""
    owner, context = row.get("owned_by"), _context(row)
    parent = by_name.get(row["parent"]) if isinstance(row.get("parent"), str) else None
    if context is None and parent is not None:
        context = _context(parent)
    return Served(owner if isinstance(owner, str) else None, context)


def _context(row: Mapping[str, Any]) -> int | None:
    """Return the context in tokens: `max_model_len` (vLLM, SGLang) or `meta.n_ctx` (llama.cpp)."""
    meta = row.get("meta")
    for value in (row.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, Mapping) else None):
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
