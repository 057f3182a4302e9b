"""agentgen-bench profile: how much text a setting shows, how many commands, how hard it is."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym

from agentgen_bench import families
from agentgen_bench.cli.evaluate import (
    add_environment_options,
    plan_from_args,
    plan_of_ids,
)
from agentgen_bench.cli.options import given_path, integer, listed, refuse_others
from agentgen_bench.cli.outputs import check_file
from agentgen_bench.cli.policy_options import add_agent_options, agent_from_args
from agentgen_bench.cli.progress import Progress
from agentgen_bench.cli.prompt_options import add_prompt_options, prompt_from_args
from agentgen_bench.cli.table import aligned
from agentgen_bench.episodes import read_episodes
from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.evaluation.folder import EPISODES, prompt_of, read_manifest, write_json, write_text
from agentgen_bench.evaluation.plan import Plan, single_plan
from agentgen_bench.evaluation.profile import (
    PAPER_PROMPT,
    CountTokens,
    MeasuredSettingJson,
    ProfileJson,
    measured,
    profile_episodes,
    profile_plan,
)
from agentgen_bench.evaluation.profile_page import POLICIES as PAGE_POLICIES
from agentgen_bench.evaluation.profile_page import documented_settings, page_text
from agentgen_bench.policies.names import SCRIPTED, scripted_policy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import DEFAULT_WORKERS
from agentgen_bench.scores.base import ScoreJson, family
from agentgen_bench.scores.profile import MIN_EPISODES
from agentgen_bench.spec import NAMESPACE, TaskSpec

EXAMPLES = """examples:
  agentgen-bench profile
      every registered id with the random policy, under the paper's protocol
  agentgen-bench profile --env AgentGen/Sokoban-v0 --richness lean,base,rich --distractors none,paper-v1 --policy oracle
      how richness and distractors change what is read
  agentgen-bench profile --run runs/mine
      the profile that a recorded model run gives
  agentgen-bench profile --page docs/profile.md --families Sokoban,WebShop
      measure the documented settings of these families again and write the page
"""
COLUMNS = (
    ("prompt_chars", "prompt chars", 0),
    ("prompt_tokens", "tokens", 0),
    ("obs_chars", "obs chars", 0),
    ("distractor_chars", "distractors", 0),
    ("admissible", "commands", 1),
    ("planning_complexity", "planning", 1),
    ("goal_reachability", "reached", 2),
    ("expert_length", "oracle", 1),
)
OF_A_RUN = {"run_folder", "tokenizer", "output", "json", "quiet"}
OF_A_PAGE = {"page", "families", "workers", "quiet"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "profile",
        help="measure how much text settings show and how hard they are",
        description="Play settings with a policy that needs no model, or read a recorded run, and measure prompt and "
        "observation characters, commands, planning complexity (failures count as 50) and oracle length, per setting, "
        "beside the values of arXiv 2601.18217. Without --suite and --env: every registered id.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = parser.add_argument_group("policy")
    group.add_argument("--policy", choices=SCRIPTED, help="who plays (default: random)")
    add_agent_options(group)
    group.add_argument("--seed", type=integer(0), default=0, help="seed of the random policy (default: 0)")
    group.add_argument(
        "--run", dest="run_folder", metavar="DIR", type=given_path, help="measure this recorded run instead"
    )
    add_environment_options(parser, MIN_EPISODES)
    add_prompt_options(parser, PAPER_PROMPT)
    group = parser.add_argument_group("output")
    group.add_argument(
        "--tokenizer", metavar="PATH", type=given_path, help="count tokens with the tokenizer of this model folder"
    )
    group.add_argument(
        "--workers", type=integer(1), default=DEFAULT_WORKERS, help=f"environments at once (default: {DEFAULT_WORKERS})"
    )
    group.add_argument("--output", metavar="FILE", type=given_path, help="write the profile to FILE as JSON")
    group.add_argument(
        "--page", metavar="FILE", type=given_path, help="write the documentation page, its data beside it"
    )
    group.add_argument(
        "--families",
        metavar="LIST",
        type=listed,
        help="measured for --page (default: all that are trained on)",
    )
    group.add_argument("--json", action="store_true", help="print JSON")
    group.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Profile; returns 0, or 1 where an episode ended in an error."""
    check_file(args.output)
    check_file(args.page)
    if args.page is not None:
        refuse_others(add_parser, args, "--page", OF_A_PAGE, "the page has settings, prompts and policies of its own")
        return _write_page(args)
    if args.families is not None:
        raise SpecError("--families goes with --page; name environments with --env, or a suite with --suite")
    if args.run_folder is not None:
        refuse_others(add_parser, args, "--run", OF_A_RUN, "the run was played, and is measured as it is recorded")
        profile = _profile_of_run(args.run_folder, args.tokenizer)
    else:
        prompt = prompt_from_args(args)
        profile = _profile_of_plan(_plan(args), args, prompt, _token_counter(args.tokenizer, prompt))
    if args.output is not None:
        write_json(args.output, profile)
    print(json.dumps(profile, indent=2) if args.json else profile_table(profile))
    return 1 if crashes(profile) else 0


def profile_table(profile: ProfileJson) -> str:
    """Return a profile as text: a row per setting with 95 % intervals, below each the paper's values."""
    columns = [column for column in COLUMNS if any(column[0] in s["scores"] for s in profile["settings"])]
    rows: list[Sequence[str]] = [("setting", "episodes", *(title for _, title, _ in columns))]
    for setting in profile["settings"]:
        scores = setting["scores"]
        cells = [_cell(scores.get(name), digits) for name, _, digits in columns]
        rows.append((setting["setting"], str(setting["episodes"]), *cells))
    for name in dict.fromkeys(family(setting["spec"]) for setting in profile["settings"]):
        paper = families.family(name).paper if families.is_known(name) else None
        if paper is None:
            continue
        printed = {
            "prompt_chars": f"{paper.prompt_chars:.0f}",
            "planning_complexity": f"{paper.planning_complexity:.1f}",
        }
        rows.append((f"arXiv 2601.18217, {name}", "", *(printed.get(column, "") for column, _, _ in columns)))
    hints, past = profile["prompt"]["action_hints"], profile["prompt"]["history_length"]
    reasons = dict.fromkeys(
        f"{setting['setting']}: {score['reason']}"
        for setting in profile["settings"]
        for score in list(setting["scores"].values())[:1]
        if score["reason"]
    )
    heading = f"policy {profile['policy']}; prompts show {past} past steps and {hints} action hints"
    heading += "; intervals range over levels only"
    return "\n".join([heading, *aligned(rows), *reasons, *crashes(profile)])


def crashes(profile: ProfileJson) -> list[str]:
    """Return a line per setting with episodes that ended in an error; they count as failures."""
    return [
        f"failed: {len(setting['crashed'])} episodes of {setting['setting']}, the first by {setting['crashed'][0]}"
        for setting in profile["settings"]
        if setting["crashed"]
    ]


def _cell(score: ScoreJson | None, digits: int) -> str:
    if score is None or score["value"] is None:
        return "-"
    if score["low"] is None or score["high"] is None:
        return f"{score['value']:.{digits}f}"
    return f"{score['value']:.{digits}f} ({score['low']:.{digits}f}-{score['high']:.{digits}f})"


def _plan(args: argparse.Namespace) -> Plan:
    if args.suite or args.env or args.fresh is not None:
        return plan_from_args(args, MIN_EPISODES)
    ids = sorted(env_id for env_id in gym.registry if env_id.startswith(f"{NAMESPACE}/"))
    return plan_of_ids(args, [env_id for env_id in ids if "-v" in env_id and env_id.count("-") == 2], MIN_EPISODES)


def _profile_of_plan(
    plan: Plan, args: argparse.Namespace, prompt: PromptConfig, count_tokens: CountTokens | None
) -> ProfileJson:
    policy = agent_from_args(args, prompt) if args.agent else scripted_policy(args.policy or "random", args.seed)
    print(f"{plan.n_episodes} episodes in {len(plan.cells)} settings, policy {policy.name}", file=sys.stderr)
    progress = Progress(plan.n_episodes, show=not args.quiet)
    progress.start(())
    try:
        return profile_plan(
            plan,
            policy,
            prompt,
            workers=args.workers,
            count_tokens=count_tokens,
            on_episode=progress.episode,
        )
    finally:
        progress.close()


def _write_page(args: argparse.Namespace) -> int:
    """Measure the documented settings and write page and data; settings of other families stay as they are."""
    data = args.page.with_suffix(".json")
    document: dict[str, dict[str, MeasuredSettingJson]] = {}
    if data.exists():
        document = json.loads(data.read_text(encoding="utf-8"))
    prompt = prompt_from_args(args)
    trained_on = [name for name in families.names() if not families.family(name).evaluation_only]
    for name in args.families or trained_on:
        families.family(name)
        for policy in PAGE_POLICIES:
            args.policy = policy
            plan = single_plan(documented_settings(name), MIN_EPISODES)
            profile = _profile_of_plan(plan, args, prompt, None)
            if found := crashes(profile):
                raise RunError("; ".join(found))
            document.setdefault(policy, {}).update(
                {TaskSpec.from_json(setting["spec"]).label: setting for setting in profile["settings"]}
            )
            write_json(data, document)
            write_text(args.page, page_text(document))
    return 0


def _profile_of_run(folder: Path, tokenizer: Path | None) -> ProfileJson:
    """Return the profile of a run as it was recorded; its prompts are measured again where the record has texts."""
    prompt = prompt_of(folder, read_manifest(folder))
    count_tokens = _token_counter(tokenizer, prompt)
    episodes = [measured(episode, prompt, count_tokens) for episode in read_episodes(folder / EPISODES)]
    if not episodes:
        raise DataError(f"{folder} holds no episode yet; finish its run first")
    return profile_episodes(episodes, prompt)


def _token_counter(folder: Path | None, config: PromptConfig) -> CountTokens | None:
    """Return a counter of prompt tokens under the chat template of a model folder; None where none is named."""
    if folder is None:
        return None
    from agentgen_bench.policies.chat import load_chat_format
    from agentgen_bench.policies.opening import open_checkpoint

    chat = load_chat_format(open_checkpoint(folder))
    return lambda prompt: len(chat.encode(chat.text(prompt, config.thinking)))
