"""Demonstrators decide from what a prompt shows, say what they saw, and solve what they are meant to show."""

import re

import pytest

from agentgen_bench.answers import read_answer, written_answer
from agentgen_bench.cli import main
from agentgen_bench.episodes import read_episodes
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.parsing import read
from agentgen_bench.policies.demonstrators import NO_ANSWER, Demonstrator, Imitable, shown
from agentgen_bench.policies.names import DEMONSTRATORS, scripted_policy, to_be_imitated
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.policies.sokoban_planner import board_of
from agentgen_bench.policies.webshop_reader import query_of
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from agentgen_bench.text import render
from agentgen_bench.train.demonstrations import demonstrations, read_demonstrations

FAMILIES = ("Sokoban", "WebShop", "ALFWorld", "SciWorld")
FULL = PromptConfig(history_length=100, action_hints="none")


def episodes(family, n, policy=None, **settings):
    knobs = tuple(settings.pop("knobs", {}).items())
    spec = TaskSpec(family, **{"richness": "lean", "split": "valid", **settings}, knobs=knobs)
    played = play([Job(spec, seed) for seed in range(n)], policy or Demonstrator())
    return sorted(played, key=lambda episode: episode.seed)


def success(*args, **settings):
    played = episodes(*args, **settings)
    assert all(episode.ending != "error" for episode in played)
    return sum(episode.success for episode in played) / len(played)


@pytest.mark.parametrize("richness", ["lean", "base", "rich"])
@pytest.mark.parametrize("board", ["symbols", "xsb", "coords"])
def test_the_planner_solves_every_board_it_reads(richness, board):
    assert success("Sokoban", 4, richness=richness, knobs={"board": board}) == 1.0


def test_the_planner_makes_the_fewest_moves():
    assert all(len(episode.steps) == episode.expert_length for episode in episodes("Sokoban", 6))


@pytest.mark.parametrize("richness", ["lean", "base", "rich"])
def test_the_household_searcher_solves_every_level(richness):
    assert success("ALFWorld", 12, richness=richness, difficulty="medium") == 1.0


@pytest.mark.parametrize("page_format", ["text", "text_rich"])
@pytest.mark.parametrize("richness", ["lean", "base", "rich"])
def test_the_shopper_solves_most_easy_levels_and_makes_no_invalid_step(richness, page_format):
    played = episodes("WebShop", 60, richness=richness, knobs={"page_format": page_format})
    assert sum(episode.success for episode in played) >= 36
    assert all(step.is_action_valid for episode in played for step in episode.steps)


@pytest.mark.parametrize("richness", ["lean", "base"])
def test_the_science_reader_solves_a_level_of_each_easy_task(richness):
    played = episodes("SciWorld", 12, richness=richness)
    assert len({re.sub(r"[^a-z]+", "", episode.task)[:22] for episode in played}) > 6
    assert sum(episode.success for episode in played) >= 11


def test_distractors_do_not_confuse_the_planner_and_the_searcher():
    for family in ("Sokoban", "ALFWorld"):
        assert success(family, 6, distractors="paper-v1") == 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_every_step_has_a_thought_and_the_action_it_took(family):
    for episode in episodes(family, 3):
        for step in episode.steps:
            thought, action = re.fullmatch(r"<think>(.+)</think><action>(.+)</action>", step.completion).groups()
            assert action == step.action
            assert len(thought) < 400


@pytest.mark.parametrize("family", FAMILIES)
def test_a_demonstrator_needs_neither_commands_nor_templates_nor_the_name_of_the_level(family):
    for episode in episodes(family, 3):
        for history, step in zip(histories(episode), episode.steps, strict=True):
            assert Demonstrator().act([shown(history, FULL)])[0].completion == step.completion


def test_where_the_searcher_says_it_has_looked_it_has_and_the_thing_was_not_there():
    for episode in episodes("ALFWorld", 10, difficulty="hard"):
        for history, step in zip(histories(episode), episode.steps, strict=True):
            said = re.search(r"I look for (?:a|another) (\w+)\. Not in ([^.]+)\.", step.completion)
            if said:
                told = "\n".join([*(turn.observation for turn in history.turns), history.observation])
                for place in said[2].split(", "):
                    lists = re.findall(rf"(?:On the {place}|The {place} is open\. In it), you see ([^.]*)", told)
                    assert lists, place
                    taken = {turn.action for turn in history.turns}
                    there = re.findall(rf"\b{said[1]} \d+", lists[-1])
                    assert all(f"take {thing} from {place}" in taken for thing in there)


def test_the_planner_says_where_it_stands_and_which_box_it_pushes():
    (episode,) = episodes("Sokoban", 1, knobs={"board": "coords"})
    for history, step in zip(histories(episode), episode.steps, strict=True):
        here, box, target = re.findall(r"\(\d+, \d+\)", step.completion)
        assert f"Player at {here}" in history.observation
        assert f"Box at {box}" in history.observation
        assert f"Goal at {target}" in history.observation


def test_the_shoppers_thought_names_what_stands_on_the_page():
    for episode in episodes("WebShop", 20):
        for history, step in zip(histories(episode), episode.steps, strict=True):
            if number := re.search(r"title of ([A-Z0-9]{10}) says ([^.]+)\.", step.completion):
                entry = history.observation.partition(number[1])[2].partition("$")[0].lower()
                assert all(word in entry for word in number[2].split())


def test_a_board_is_read_from_among_other_lines():
    assert board_of("You like it.\n\n######\n#P_XO#\n######\n\n# wall").boxes.bit_count() == 1
    assert board_of("no board") is None
    assert board_of("######\n#____#\n######") is None


def test_the_query_is_what_the_request_says_without_its_limit():
    assert query_of("I want to buy a slim fit shirt, in navy, and pay no more than $35.") == "slim fit shirt navy"
    assert query_of("My sister asked me for a lamp. It has to stay under $18.") == "lamp"


# --- what cannot be imitated is refused


def refusal(family, prompt, n=6, **settings):
    with pytest.raises(SpecError) as refused:
        episodes(family, n, Imitable(Demonstrator(), prompt), **settings)
    return str(refused.value)


def test_a_shopper_without_history_cannot_be_imitated_where_the_page_hides_its_choices():
    text = refusal("WebShop", PromptConfig(0, "none", thinking=False))
    assert "demonstrator cannot be imitated in WebShop with history_length=0 and action_hints=none" in text
    assert "Show more: a longer history (up to 15), richer text, or action_hints=full" in text


@pytest.mark.parametrize(("richness", "length"), [("lean", 1), ("rich", 0)])
def test_a_shopper_can_be_imitated_where_the_choice_is_shown(richness, length):
    prompt = PromptConfig(length, "none")
    assert episodes("WebShop", 20, Imitable(Demonstrator(), prompt), richness=richness)


def test_a_searcher_that_remembers_cannot_be_imitated_from_two_past_steps():
    assert "cannot be imitated in ALFWorld with history_length=2" in refusal("ALFWorld", PromptConfig())


@pytest.mark.parametrize("prompt", [PromptConfig(50), PromptConfig(0, protocol="chat")], ids=["window", "chat"])
def test_a_searcher_can_be_imitated_where_the_prompt_shows_the_whole_episode(prompt):
    assert episodes("ALFWorld", 6, Imitable(Demonstrator(), prompt))


def test_a_planner_needs_no_history():
    assert episodes("Sokoban", 6, Imitable(Demonstrator(), PromptConfig(0, "none")))


def test_demonstrators_are_held_to_the_prompt_and_the_oracle_is_not():
    for name in DEMONSTRATORS:
        assert isinstance(to_be_imitated(scripted_policy(name), FULL), Imitable)
    oracle = OraclePolicy()
    assert to_be_imitated(oracle, FULL) is oracle


# --- the demonstrator is the default of collect


def test_collect_records_the_demonstrator_with_its_thoughts(tmp_path, capsys):
    envs = ["--envs", "alfworld", "--richness", "lean", "--levels", "3", "--history-length", "50", "--quiet"]
    assert main(["collect", *envs, "--output", str(tmp_path / "run")]) == 0
    assert "of 3 of 3 episodes" in capsys.readouterr().out
    assert {episode.policy for episode in read_episodes(tmp_path / "run" / "episodes.jsonl")} == {"demonstrator"}
    items = list(read_demonstrations(tmp_path / "run"))
    assert all(re.match(r"<think>.+</think><action>", item.completion[0].content) for item in items)
    assert not any("<think>" in message.content for item in items for message in item.prompt[:-1])
    assert main(["collect", "--from", str(tmp_path / "run"), "--history-length", "1"]) == 2
    assert "demonstrator cannot be imitated in ALFWorld with history_length=1" in capsys.readouterr().err
    assert main(["collect", "--from", str(tmp_path / "run"), "--protocol", "chat", "--no-thinking"]) == 0
    (first, *_) = items = list(read_demonstrations(tmp_path / "run"))
    assert len(items) == 3
    assert all(message.content.startswith("<action>") for item in items for message in item.completion[::2])
    assert len(first.completion) > 2


PROMPTS = [
    PromptConfig(thinking=thinking, action_hints="full", action_format=action_format, protocol=protocol)
    for thinking in (True, False)
    for protocol, action_format in (
        ("window", "tagged"),
        ("window", "react"),
        ("window", "json"),
        ("chat", "choice"),
        ("tools", "tagged"),
    )
]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: f"{p.protocol}-{p.action_format}-{p.thinking}")
def test_an_answer_is_written_so_that_it_is_read_back(prompt):
    (episode,) = episodes("ALFWorld", 1)
    for history, step in zip(histories(episode), episode.steps, strict=True):
        text = written_answer("I see it.", step.action, history, prompt)
        assert read_answer(text, history, prompt).action == step.action
        assert ("I see it." in text) == prompt.thinking


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: f"{p.protocol}-{p.action_format}-{p.thinking}")
def test_demonstrations_answer_as_the_prompt_asks(prompt):
    (episode,) = episodes("ALFWorld", 1, split="train")
    answers = [message.content for item in demonstrations(episode, prompt) for message in item.completion[::2]]
    for text, history, step in zip(answers, histories(episode), episode.steps, strict=True):
        assert read_answer(text, history, prompt).action == step.action
        assert ("I " in text) == prompt.thinking


def test_an_action_that_a_format_cannot_say_is_not_demonstrated():
    (episode,) = episodes("SciWorld", 1, knobs={"admissible": "none"}, split="train")
    prompt = PromptConfig(action_hints="full", action_format="choice")
    assert list(demonstrations(episode, prompt)) == []
    assert render(episode.first_sections)


@pytest.mark.parametrize("action_format", ["tagged", "react", "json"])
def test_who_gives_up_is_recorded_as_the_check_of_entries_reads_it(action_format):
    reading = read(NO_ANSWER.completion, action_format)
    assert (NO_ANSWER.action, NO_ANSWER.reason, NO_ANSWER.marks) == reading
