import json
import re

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.policies.demonstrators import Demonstrator
from agentgen_bench.policies.scripted import OraclePolicy, RandomPolicy
from agentgen_bench.policies.sokoban_rule_finder import SokobanRuleFinder
from agentgen_bench.prompts import Message, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.collect import collect, collect_from
from agentgen_bench.train.demonstrations import demonstrations, read_demonstrations, write_demonstrations
from tests.counting import CountingEnv
from tests.train.tiny import PROMPT, SPEC, counting_demonstrations

SOKOBAN = TaskSpec("Sokoban", richness="lean", difficulty="paper", split="train")


class Remembers(RandomPolicy):
    def __init__(self):
        super().__init__()
        self.seen = []

    def act(self, histories):
        self.seen.extend(histories)
        return super().act(histories)


PACKS = SOKOBAN.with_(interface="opaque", lifecycle="pack-4", knobs=(("max_steps", 3),))


@pytest.mark.parametrize("spec", [SOKOBAN, PACKS], ids=["levels", "packs"])
def test_the_histories_of_a_record_are_what_the_policy_saw(spec):
    policy = Remembers()
    for episode in play([Job(spec, seed) for seed in range(3)], policy, workers=1):
        own = [history for history in policy.seen if history.key[1] == episode.seed]
        rebuilt = list(histories(episode))
        assert [(h.observation, h.turns, h.admissible_commands) for h in rebuilt] == [
            (h.observation, h.turns, h.admissible_commands) for h in own
        ]
        assert [(h.task, h.step, h.max_steps, h.action_templates, h.family) for h in rebuilt] == [
            (h.task, h.step, h.max_steps, h.action_templates, h.family) for h in own
        ]


@pytest.mark.parametrize(
    ("config", "completion"),
    [
        (PromptConfig(thinking=False), "<action>1</action>"),
        (PromptConfig(thinking=True), "<think></think><action>1</action>"),
        (PromptConfig(thinking=False, action_format="react"), "Action: 1"),
        (PromptConfig(thinking=True, action_format="json"), '{"thought": "", "action": "1"}'),
    ],
)
def test_an_oracles_action_is_written_in_the_asked_format(config, completion):
    assert next(counting_demonstrations(1, config)).completion == (Message("assistant", completion),)


def test_demonstrations_survive_their_file(tmp_path):
    items = list(counting_demonstrations())
    assert write_demonstrations(tmp_path / "samples.jsonl", items) == len(items)
    assert list(read_demonstrations(tmp_path)) == items


def test_a_file_of_demonstrations_has_the_conversational_prompt_completion_form(tmp_path):
    write_demonstrations(tmp_path / "samples.jsonl", counting_demonstrations())
    line = json.loads((tmp_path / "samples.jsonl").read_text().splitlines()[0])
    assert line["prompt"][0]["role"] == "user"
    assert line["completion"] == [{"role": "assistant", "content": "<action>1</action>"}]


def test_invalid_actions_are_not_demonstrated():
    (episode,) = play([Job(SPEC, 3)], RandomPolicy(), make_env=lambda spec: CountingEnv())
    assert len(list(demonstrations(episode, PROMPT))) == sum(step.is_action_valid for step in episode.steps)


def test_a_compact_record_is_refused():
    (episode,) = play([Job(SPEC, 3)], OraclePolicy(), make_env=lambda spec: CountingEnv(), record_text=False)
    with pytest.raises(DataError, match="recorded without its texts"):
        list(demonstrations(episode, PROMPT))


def test_collect_uses_solved_episodes_and_can_be_written_anew(tmp_path):
    plan = single_plan([SOKOBAN], 6)
    solved = collect(plan, OraclePolicy(), PROMPT, tmp_path / "oracle")
    assert (solved.episodes, solved.used) == (6, 6)
    assert len(list(read_demonstrations(solved.path))) == solved.samples
    random = collect(plan, RandomPolicy(), PROMPT, tmp_path / "random")
    assert random.used < 6
    assert collect_from(tmp_path / "random", PROMPT, only_solved=False).used == 6


def test_the_test_split_is_never_collected(tmp_path):
    test = SOKOBAN.with_(split="test")
    with pytest.raises(SpecError, match="collecting demonstrations uses Sokoban-lean paper test, levels of the test"):
        collect(single_plan([SOKOBAN, test], 1), OraclePolicy(), PROMPT, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    evaluate(single_plan([test], 1), OraclePolicy(), PROMPT, tmp_path / "evaluated")
    with pytest.raises(SpecError, match="collecting demonstrations uses Sokoban-lean paper test"):
        collect_from(tmp_path / "evaluated", PROMPT)


def test_demonstrations_of_a_record_stand_where_they_are_asked_for(tmp_path):
    kept = collect(single_plan([SOKOBAN], 2), OraclePolicy(), PROMPT, tmp_path / "run").path.read_bytes()
    argv = ["collect", "--from", str(tmp_path / "run"), "--protocol", "chat"]
    assert main([*argv, "--output", str(tmp_path / "as" / "chats")]) == 0
    assert len(list(read_demonstrations(tmp_path / "as" / "chats"))) == 2
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == kept
    assert main(argv) == 0
    assert len(list(read_demonstrations(tmp_path / "run"))) == 2


def test_demonstrations_do_not_stand_beside_the_episodes_of_another_run(tmp_path, capsys):
    for name in ("run", "other"):
        collect(single_plan([SOKOBAN], 1), OraclePolicy(), PROMPT, tmp_path / name)
    assert main(["collect", "--from", str(tmp_path / "run"), "--output", str(tmp_path / "other")]) == 1
    assert "other holds a run of its own, and the demonstrations are of" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    ["--envs webshop", "--levels 7", "--policy oracle", "--model m", "--set size=7", "--difficulty hard", "--resume"],
)
def test_options_that_a_record_cannot_follow_are_refused(tmp_path, capsys, option):
    assert main(["collect", "--from", str(tmp_path), *option.split()]) == 2
    name = option.partition(" ")[0]
    assert f"{name} does not go with --from: the run was played" in capsys.readouterr().err


def test_collecting_that_is_interrupted_says_how_it_goes_on(tmp_path, capsys, monkeypatch):
    def interrupted(self, histories):
        raise KeyboardInterrupt

    command = ["collect", "--envs", "sokoban", "--levels", "2", "--quiet", "--output", str(tmp_path / "run")]
    monkeypatch.setattr(Demonstrator, "act", interrupted)
    assert main(command) == 130
    said = capsys.readouterr().err
    assert f"interrupted; what was played is in {tmp_path / 'run'}; go on with:\n" in said
    assert said.endswith(f"  agentgen-bench {' '.join(command)} --resume\n")
    monkeypatch.undo()
    assert main([*command, "--resume"]) == 0


def test_demonstrations_of_no_run_are_refused(tmp_path):
    with pytest.raises(RunError, match=r"typo is not a run folder: it holds no manifest.json"):
        collect_from(tmp_path / "typo", PROMPT)


def test_a_file_of_test_levels_is_not_read(tmp_path):
    items = [item._replace(split="test") for item in counting_demonstrations(1)]
    write_demonstrations(tmp_path / "samples.jsonl", items)
    with pytest.raises(DataError, match=r"samples.jsonl, line 1 is of the test split, which is not trained on"):
        list(read_demonstrations(tmp_path))


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(DataError, match="record some with: agentgen-bench collect"):
        list(read_demonstrations(tmp_path))
    (tmp_path / "samples.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"samples.jsonl, line 1 is not a demonstration"):
        list(read_demonstrations(tmp_path))


@pytest.mark.parametrize("content", [b"null", b'["parts"]', b'"\xe9"', b"[" * 100_000])
def test_a_message_that_is_no_text_is_named_with_its_line(tmp_path, content):
    write_demonstrations(tmp_path / "samples.jsonl", counting_demonstrations(2))
    first, second, _ = (tmp_path / "samples.jsonl").read_bytes().splitlines()
    damaged = re.sub(rb'"content": "[^"]*"', lambda _: b'"content": ' + content, second)
    (tmp_path / "samples.jsonl").write_bytes(first + b"\n" + damaged + b"\n")
    with pytest.raises(DataError, match=r"samples.jsonl, line 2 is not a demonstration"):
        list(read_demonstrations(tmp_path))


FACTS = TaskSpec("Sokoban", "lean", "easy", split="train", knobs=(("fact", "rule"),))
CHAT = PromptConfig(protocol="chat", action_hints="none")


@pytest.mark.parametrize("lifecycle", ["cod-4", "pack-4"])
@pytest.mark.parametrize("config", [CHAT, PromptConfig()], ids=["chat", "window"])
def test_of_a_pack_count_its_solved_tasks_and_what_was_kept(lifecycle, config):
    spec = FACTS.with_(lifecycle=lifecycle)
    packs = list(play([Job(spec, seed) for seed in range(4)], SokobanRuleFinder(), workers=1))
    assert not any(pack.success for pack in packs)
    for pack in packs:
        starts = [*(task.start for task in pack.tasks), len(pack.steps)]
        solved = {i for i, task in enumerate(pack.tasks) if task.score == 1.0}
        kept = {start - 1 for start, task in zip(starts[1:], pack.tasks, strict=True) if task.note is not None}
        used = [place for i in solved for place in range(starts[i], starts[i + 1]) if pack.steps[place].is_action_valid]
        answers = [
            message
            for one in demonstrations(pack, config, only_solved=True)
            for i, message in enumerate(m for m in one.completion if m.role == "assistant")
            if one.is_wanted(i)
        ]
        assert len(answers) == len({*used, *kept})


def test_collecting_takes_of_unsolved_packs_what_was_solved(tmp_path):
    plan = single_plan([FACTS.with_(lifecycle="cod-4")], 4)
    some = collect(plan, SokobanRuleFinder(), CHAT, tmp_path / "packs")
    every = collect_from(tmp_path / "packs", CHAT, only_solved=False)
    assert (some.used, every.used) == (4, 4)
    assert 4 < some.samples < every.samples <= 28
