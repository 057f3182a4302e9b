"""Inspect: a recorded run as a log that its viewer opens (docs/adapters/inspect.md)."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from inspect_ai.log import EvalLog, recompute_metrics, write_eval_log

from agentgen_bench.adapters.inspect_samples import sample_of
from agentgen_bench.errors import AgentGenError
from agentgen_bench.export.source import Source, read_source

GROUPS = {"metric": {"type": "metric", "name": "mean", "params": {}}, "group_key": "setting", "all": "groups"}
BY_LEVEL = {"name": "inspect_ai/stderr", "options": {"cluster": "level"}}
SPREAD = [{"name": "inspect_ai/grouped", "options": GROUPS}, BY_LEVEL]
METRICS = {"success": SPREAD, "score": SPREAD, "return": [{"name": "inspect_ai/mean", "options": {}}]}


def log_of(source: Source) -> EvalLog:
    """Return a run's log: a sample an episode, scored as the tasks of `inspect_ai.py` are."""
    samples = [sample_of(episode, source) for episode in source.episodes()]
    log = EvalLog.model_validate(
        {
            "status": "success" if len(samples) == source.n_planned else "cancelled",
            "eval": {
                "created": source.date or datetime.now(UTC).isoformat(),
                "task": f"agentgen_bench/{source.suite or source.name}",
                "dataset": {"samples": source.n_planned},
                "model": source.model,
                "config": {"epochs": source.repeats},
                "packages": dict(source.versions),
                "metadata": {"hash": source.suite_hash, "prompt": dict(source.prompt), "policy": dict(source.policy)},
                "scorers": [{"name": "outcome", "metrics": METRICS}],
            },
            "samples": samples,
        }
    )
    recompute_metrics(log)
    return log


def main() -> int:
    """Write the log of a run folder or an entry to a file, and say where; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write a recorded run as a log that `inspect view` opens.")
    parser.add_argument("run", type=Path, help="a run folder, or the folder of a leaderboard entry")
    parser.add_argument("--output", type=Path, default=Path("logs"), help="folder of logs (default: %(default)s)")
    args = parser.parse_args()
    try:
        log = log_of(read_source(args.run))
    except AgentGenError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    args.output.mkdir(parents=True, exist_ok=True)
    file = args.output / f"{args.run.resolve().name}.eval"
    write_eval_log(log, str(file))
    sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
