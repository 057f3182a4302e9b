"""A mistake in an option is found before anything heavy is loaded, in every verb that loads something."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "vllm", "trl", "py4j", "scienceworld", "pyarrow")
SCIWORLD = ("--env", "AgentGen/SciWorld-v0")
# Command lines with one mistake each, and what is said of it. {tmp} is an empty folder, {file} a file.
MISTAKES = (
    ("evaluate --model {tmp}/nothing --suite core-v1", "no model folder at"),
    ("evaluate --model {tmp} --temperature -1", "temperature=-1.0 is out of range"),
    ("evaluate --model {tmp} --top-p 2", "top_p=2.0 is out of range"),
    ("evaluate --model {tmp} --policy random", "--policy and --model exclude each other"),
    ("evaluate --env AgentGen/SciWorld-v0 --env AgentGen/Sokoban-v0 --set size=-1", "size"),
    ("evaluate --env AgentGen/SciWorld-v0 --set max_commands=-3 --agent a.py:b", "max_commands=-3 is out of range"),
    ("evaluate --env AgentGen/SciWorld-v0 --output {file}/run", "is a file; choose another place"),
    (f"evaluate --env AgentGen/SciWorld-v0 --output {{tmp}}/{'x' * 300}", "File name too long"),
    ("evaluate --env AgentGen/SciWorld-v0 --system-prompt @{tmp}/none", "cannot read"),
    ("evaluate --base-url localhost:80 --model m", "is no server URL"),
    ("collect --envs sciworld --model {tmp}/nothing", "no model folder at"),
    ("collect --envs sciworld --split test", "collecting demonstrations uses SciWorld-base easy test, levels of the"),
    ("collect --envs sokoban --set split=test", "'split' is a field of the setting and no knob"),
    ("collect --envs sciworld --output {file}", "is a file; choose another place"),
    ("profile --env AgentGen/SciWorld-v0 --output {tmp}", "Is a directory"),
    ("profile --env AgentGen/SciWorld-v0 --difficulty silly", "unknown difficulty 'silly'"),
    ("init-model {tmp}/m --envs sciworld --hidden-size 33", "hidden_size=33 is out of range"),
    ("init-model {file}/m --envs sciworld", "is a file; choose another place"),
    ("train sft --model {tmp} --output {tmp}/o", "data is empty"),
    ("train sft --model {tmp}/nothing --data {tmp} --output {tmp}/o", "no model folder at"),
    ("train sft --model {model} --data {tmp} --output {tmp}/o", "no demonstrations at"),
    ("train sft --model {model} --data {tmp} --steps 0 --output {tmp}/o", "steps=0 is out of range"),
    ("train sft --model {model} --demonstrator demonstrator --envs sokoban --output {file}/o", "is a file; choose"),
    ("train grpo --model {model} --envs sokoban --group-size 1 --output {tmp}/o", "group_size=1 is out of range"),
    ("train grpo --model {tmp}/nothing --envs sokoban --output {tmp}/o", "no model folder at"),
    ("train grpo --model {model} --envs sokoban --output {file}/o", "is a file; choose another place"),
    (
        "train trl --model {model} --envs sokoban --play-processes 0 --output {tmp}/o",
        "play_processes=0 is out of range",
    ),
    ("train trl --model {tmp}/nothing --envs sokoban --output {tmp}/o", "no model folder at"),
    ("study {tmp}/none.yaml", "cannot read the study"),
    ("study {study}", "steps is 'many'; it takes int"),
    ("report {tmp} --output {tmp}", "Is a directory"),
    ("score {tmp} --output {file}/scores.json", "is a file; choose another place"),
    ("verify {tmp}", "this is no entry of a leaderboard: it holds no metadata.yaml; name a folder like"),
    ("verify {tmp} --model {tmp}/nothing", "no model folder at"),
    ("verify {tmp} --rerun {tmp}", "is not a run folder"),
    ("verify {tmp} --rerun {tmp} --model {model}", "--model and --rerun are two questions"),
    ("verify {tmp} --beacon today", "--beacon goes with --model"),
)
RUN_ALL = """
import contextlib, io, json, sys
from agentgen_bench.cli import main
found = []
for line in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            code = main(line.split())
        except SystemExit as ended:
            code = ended.code
    found.append((code, said.getvalue(), [name for name in sys.argv[1:] if name in sys.modules]))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, list[str]]]:
    """Exit code, what was said and which heavy packages were loaded after each of MISTAKES, all in one process."""
    place = tmp_path_factory.mktemp("mistakes")
    names = {name: place / name for name in ("tmp", "file", "model", "study")}
    names["tmp"].mkdir()
    names["file"].write_text("")
    _make_model(names["model"])
    names["study"].write_text(
        "study: s\ninitial: {model: m}\nenvironments: {easy: {env: sciworld}}\n"
        "grpo: {steps: many}\npolicies: [{name: p, role: trained, train_on: easy}]\n"
    )
    lines = [line.format(**names) for line, _ in MISTAKES]
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *HEAVY],
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
    )
    return dict(zip((line for line, _ in MISTAKES), json.loads(done.stdout), strict=True))


def _make_model(folder: Path) -> None:
    """A folder that a look at its files takes for a model."""
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_told_before_anything_heavy_is_loaded(outcomes, line, message):
    code, said, loaded = outcomes[line]
    assert code in (1, 2)
    assert message in said
    assert "Traceback" not in said
    assert loaded == []
