"""The workflow files: read-only, pinned, and no text of a stranger in a shell. They are parsed, not run."""

import re
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def text(request):
    return request.param.read_text(encoding="utf-8")


@pytest.fixture
def workflow(text):
    return yaml.safe_load(text)


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_both_workflows_are_there():
    assert [path.stem for path in FILES] == ["nightly", "verify-entries"]


def test_nothing_may_be_written(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())


def test_no_stranger_starts_a_run_that_could_tell_a_secret_or_leave_anything(workflow, text):
    # pull_request_target takes the workflow of the base branch: a pull request cannot change what judges it. In turn
    # nothing that it brings may meet a secret, a token that writes, or a cache. YAML 1.1 reads `on` as true.
    assert set(workflow[True]) <= {"pull_request_target", "schedule", "workflow_dispatch"}
    assert not any(word in text for word in ("secrets.", "github.token", "GITHUB_TOKEN", "actions/cache", "cache:"))
    if "pull_request_target" in workflow[True]:
        assert workflow[True]["pull_request_target"] == {"branches": ["main"]}
        assert not any("checkout" in step.get("uses", "") for step in steps(workflow))  # git fetches, without the token


def test_the_judge_runs_for_every_pull_request_and_once_at_a_time():
    text = (FOLDER / "verify-entries.yml").read_text(encoding="utf-8")
    assert "paths" not in text.partition("permissions:")[0].partition("pull_request_target")[2]
    group = yaml.safe_load(text)["concurrency"]
    assert group == {
        "group": "verify-entries-${{ github.event.pull_request.number }}",
        "cancel-in-progress": True,
    }


def test_a_workflow_runs_once_at_a_time(workflow):
    assert set(workflow["concurrency"]) == {"group", "cancel-in-progress"}


def test_actions_are_pinned_to_a_commit(text):
    used = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_no_expression_reaches_a_shell(workflow):
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_the_token_does_not_stay_in_the_checkout(workflow):
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_job_has_a_time_limit(workflow):
    assert all(job["timeout-minutes"] <= 360 for job in workflow["jobs"].values())


def test_the_nightly_run_is_scheduled_and_holds_what_is_too_long_for_every_change():
    workflow = yaml.safe_load((FOLDER / "nightly.yml").read_text(encoding="utf-8"))
    assert [set(entry) for entry in workflow[True]["schedule"]] == [{"cron"}]
    commands = {name: " ".join(step.get("run", "") for step in job["steps"]) for name, job in workflow["jobs"].items()}
    assert '-m "slow and not vllm and not alfworld and not gpu"' in commands["slow"]
    assert "pytest -m alfworld tests/alfworld" in commands["alfworld"]
    assert workflow["jobs"]["alfworld"]["steps"][-1]["env"] == {"AGENTGEN_ALFWORLD_STEPS": "20000"}
    assert "pytest -m vllm" in commands["vllm"]
    assert "pytest -m trl" in commands["trl"]
    assert "test_lm_eval_reader.py" in commands["lm-eval"]
