"""The options that choose a policy: a model folder, a server or a scripted one; `evaluate` and `collect` share them."""

import argparse
import os
from pathlib import Path

from agentgen_bench.address import API_KEY_VARIABLE, clean_key, parse_address
from agentgen_bench.cli.options import given_text, integer
from agentgen_bench.cli.progress import say
from agentgen_bench.errors import SpecError
from agentgen_bench.homes import expanded
from agentgen_bench.policies.agent_loading import load_agent
from agentgen_bench.policies.agents import DEFAULT_TIMEOUT_S, AgentPolicy
from agentgen_bench.policies.backends import Resources, Server, back_end, backend_names
from agentgen_bench.policies.base import Player, Policy
from agentgen_bench.policies.loading import AUTOMATIC, load_policy
from agentgen_bench.policies.names import SCRIPTED, scripted_policy
from agentgen_bench.policies.opening import names_a_folder, open_checkpoint
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig


def policy_from_args(args: argparse.Namespace, prompt: PromptConfig) -> Player:
    """Return the policy of the options; loading a model says on stderr which back end took it and why."""
    if args.agent:
        return agent_from_args(args, prompt)
    check_policy(args)
    if not args.model:
        return scripted_policy(args.policy or "random", args.seed)
    return _model_policy(args, prompt)


def check_policy(args: argparse.Namespace) -> None:
    """Raise for what is wrong with the options of a policy, as far as it shows before anything is loaded or asked."""
    if args.agent:
        _check_alone(args)
        return
    if args.agent_processes or args.agent_timeout != DEFAULT_TIMEOUT_S:
        option = "--agent-processes" if args.agent_processes else "--agent-timeout"
        raise SpecError(f"{option} goes with --agent MODULE:NAME, an agent of your own")
    if args.policy and (args.model or args.base_url):
        raise SpecError("--policy and --model exclude each other; a scripted policy needs no model")
    if args.base_url and not args.model:
        raise SpecError("--base-url needs --model NAME: the name under which the server serves the model")
    if not args.model:
        return
    _sampling(args)
    if args.base_url is not None:
        parse_address(args.base_url)
        clean_key(os.environ.get(API_KEY_VARIABLE), API_KEY_VARIABLE)
        return
    expanded(args.model)  # raises for the home of a user that is not here
    if args.backend != "auto":
        back_end(args.backend).check_installed()
    if args.backend in ("auto", *AUTOMATIC) and names_a_folder(args.model):  # what another back end takes, it knows
        open_checkpoint(args.model)


def agent_from_args(args: argparse.Namespace, prompt: PromptConfig) -> AgentPolicy:
    """Return the policy of `--agent`."""
    _check_alone(args)
    return load_agent(args.agent, prompt, timeout_s=args.agent_timeout, processes=args.agent_processes, say=say)


def _check_alone(args: argparse.Namespace) -> None:
    given = [name for name in ("policy", "model", "base_url") if getattr(args, name, None)]
    if given:
        raise SpecError(f"--agent and --{given[0].replace('_', '-')} exclude each other; an agent brings its own model")


def add_agent_options(group: "argparse._ArgumentGroup") -> None:
    """Add the options of an agent of one's own."""
    group.add_argument(
        "--agent",
        metavar="MODULE:NAME",
        type=given_text,
        help="an agent of your own: a class, a factory or a function act(observation, info) in a module or FILE.py",
    )
    group.add_argument(
        "--agent-timeout",
        type=float,
        metavar="SECONDS",
        default=DEFAULT_TIMEOUT_S,
        help=f"seconds for one answer of --agent, after which its episode has failed (default: {DEFAULT_TIMEOUT_S:g})",
    )
    group.add_argument(
        "--agent-processes",
        action="store_true",
        help="each agent in a process of its own, which a time-out ends, in place of a thread",
    )


def _model_policy(args: argparse.Namespace, prompt: PromptConfig) -> Policy:
    resources = Resources(
        device=args.device,
        dtype=args.dtype,
        batch_size=args.batch_size,
        max_model_len=args.max_model_len,
        tensor_parallel=args.tensor_parallel,
        gpu_memory_utilization=args.gpu_memory_utilization,
    )
    return load_policy(
        args.model, prompt, _sampling(args), backend=args.backend, server=_server(args), resources=resources, say=say
    )


def _sampling(args: argparse.Namespace) -> Sampling:
    return Sampling(args.temperature, args.top_p, max_tokens=args.max_tokens, seed=args.seed)


def policy_label(args: argparse.Namespace) -> str:
    """Return a short name of the policy of the options, known before it is loaded."""
    if args.agent:
        where, _, name = args.agent.rpartition(":")
        return f"{Path(where).stem}.{name}"
    if args.model and args.base_url is None and names_a_folder(args.model):
        return Path(args.model).resolve().name
    return str(args.model or args.policy or "random")


def policy_settings(args: argparse.Namespace) -> dict[str, object]:
    """Return what decides a policy's answers beside its label, and is not the default; {} where nothing is."""
    found: dict[str, object] = {} if not args.seed else {"seed": args.seed}
    if args.agent:
        where = args.agent.rpartition(":")[0]
        return {**found, "agent": str(Path(where).resolve()) if where.endswith(".py") else where}
    if not args.model:
        return found
    local = args.base_url is None and names_a_folder(args.model)
    found["model"] = str(expanded(args.model).resolve()) if local else args.model
    own, resources = Sampling(), Resources()
    usual = {"temperature": own.temperature, "top_p": own.top_p, "max_tokens": own.max_tokens, "backend": "auto"}
    usual |= {"dtype": resources.dtype, "max_model_len": resources.max_model_len}
    return found | {name: getattr(args, name) for name, value in usual.items() if getattr(args, name) != value}


def _server(args: argparse.Namespace) -> Server | None:
    if args.base_url is None:
        return None
    return Server(args.base_url, args.concurrency, args.timeout, args.retries)


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a policy; `collect` has them too."""
    group = parser.add_argument_group("policy")
    group.add_argument(
        "--model",
        metavar="PATH",
        type=given_text,
        help="a Hugging Face model folder; with --base-url, a model name",
    )
    group.add_argument(
        "--base-url",
        metavar="URL",
        type=given_text,
        help="an OpenAI-compatible server, such as http://localhost:8000/v1; its key is read from the environment "
        f"variable {API_KEY_VARIABLE}, none is needed where the server asks for none",
    )
    add_agent_options(group)
    group.add_argument("--policy", choices=SCRIPTED, help="a policy that needs no model (default: random)")
    group.add_argument(
        "--backend",
        choices=backend_names(),
        default="auto",
        help="what runs the model; auto takes vLLM for a folder, where it is installed (default: auto)",
    )
    group.add_argument(
        "--temperature", type=float, default=0.0, help="0 for greedy decoding, else sampling (default: 0)"
    )
    group.add_argument("--top-p", type=float, default=1.0, help="nucleus sampling, a share in (0, 1] (default: 1)")
    group.add_argument(
        "--max-tokens", type=integer(1), default=512, help="tokens of a completion at most (default: 512)"
    )
    group.add_argument("--seed", type=integer(0), default=0, help="seed of sampling and random policy (default: 0)")
    _add_server_options(parser)
    _add_resource_options(parser)


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server", f"with --base-url; a key is read from {API_KEY_VARIABLE}")
    own = Server("")
    group.add_argument(
        "--concurrency",
        type=integer(1),
        default=own.concurrency,
        help=f"requests under way at once, as far as --workers gives them (default: {own.concurrency})",
    )
    group.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        default=own.timeout_s,
        help=f"seconds for a whole answer, after which it is asked for again (default: {own.timeout_s:g})",
    )
    group.add_argument(
        "--retries",
        type=integer(0),
        default=own.retries,
        help=f"times a request is sent again after a failure that may pass (default: {own.retries})",
    )


def _add_resource_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("resources of a model folder")
    own = Resources()
    group.add_argument("--device", default=own.device, help="transformers: cpu, cuda, cuda:1 ... (default: auto)")
    group.add_argument("--dtype", default=own.dtype, help="float32, bfloat16 ...; auto: float32 on CPU (default: auto)")
    group.add_argument(
        "--batch-size",
        type=integer(1),
        default=own.batch_size,
        help="transformers: prompts at once; vLLM on a CPU: chats that its cache has room for (default: 32)",
    )
    group.add_argument(
        "--max-model-len", type=integer(1), help="tokens of prompt and completion (default: the model's, at most 16384)"
    )
    group.add_argument(
        "--tensor-parallel", type=integer(1), default=1, help="vLLM: GPUs that share the model (default: 1)"
    )
    group.add_argument(
        "--gpu-memory-utilization",
        type=float,
        default=own.gpu_memory_utilization,
        help="vLLM: share of each GPU's memory in (0, 1] (default: 0.9)",
    )
