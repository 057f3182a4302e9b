"""The evaluation-only world: its rules against a plain search, its levels, its text, and that nobody trains on it."""

from collections import deque

import gymnasium as gym
import pytest

from agentgen_bench.cli import main
from agentgen_bench.envs.blocks.levels import generated_level
from agentgen_bench.envs.blocks.rules import TABLE, best_move, distance, distances, moved, moves
from agentgen_bench.envs.blocks.settings import PRESETS
from agentgen_bench.spec import TaskSpec
from agentgen_bench.text import Richness


def test_a_policy_that_does_not_play_it_leaves_the_folder_to_the_next(capsys, tmp_path):
    command = ["evaluate", "--env", "AgentGen/Blocks-base-v0", "--episodes", "2", "--output", str(tmp_path / "run")]
    assert main([*command, "--policy", "demonstrator"]) == 2
    assert "Blocks has no demonstrator; families with one: Sokoban, WebShop" in capsys.readouterr().err
    assert main([*command, "--policy", "noop"]) == 0


def plain_distance(start, goal):
    """Breadth-first search under the numbers that the blocks have."""
    found, queue = {start: 0}, deque([start])
    while queue:
        blocks = queue.popleft()
        if blocks == goal:
            return found[blocks]
        for move in moves(blocks):
            after = moved(blocks, move)
            if after not in found:
                found[after] = found[blocks] + 1
                queue.append(after)
    raise AssertionError("the goal was not reached")


def test_there_are_as_many_arrangements_as_sets_of_lists():
    """OEIS A000262: 1, 3, 13, 73, 501, 4051."""
    assert [len(distances((1,) * n)) for n in range(1, 7)] == [1, 3, 13, 73, 501, 4051]


@pytest.mark.parametrize("difficulty", ["easy", "medium"])
def test_distances_are_those_of_a_plain_search(difficulty):
    for seed in range(20):
        start, goal = generated_level(difficulty, "test", seed)
        assert distance(start, goal) == plain_distance(start, goal)


@pytest.mark.parametrize("difficulty", PRESETS)
def test_a_level_is_of_its_band_and_the_first_moves_lead_to_the_goal(difficulty):
    band = PRESETS[difficulty]
    for seed in range(30):
        blocks, goal = generated_level(difficulty, "test", seed)
        n_moves = distance(blocks, goal)
        assert len(blocks) == band.blocks
        assert band.least <= n_moves <= band.most
        for _ in range(n_moves):
            blocks = moved(blocks, best_move(blocks, goal))
        assert blocks == goal


def test_only_free_blocks_move_and_only_onto_free_ones():
    """Block 1 lies on block 0, block 2 stands alone."""
    blocks = (TABLE, 0, TABLE)
    assert [tuple(move) for move in moves(blocks)] == [(1, 2), (1, TABLE), (2, 1)]


def transcript(**knobs):
    env = gym.make("AgentGen/Blocks-base-v0", **knobs).unwrapped
    observation, info = env.reset(seed=1)
    lines = [f"level {info['level_id']}, {env.max_steps} steps, admissible: {', '.join(info['admissible_commands'])}"]
    lines.append(observation)
    script = iter(("stack red on red", "fly", "lower blue", "stack white on red"))
    ended = False
    while not ended:
        action = next(script, None) or env.expert_action()
        observation, reward, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
        lines.append(f"> {action}\n[reward {reward:.1f}, score {info['score']}, valid {info['is_action_valid']}]")
        lines.append(observation)
    return "\n\n".join(lines) + f"\n\n{env.analysis()}\n"


@pytest.mark.parametrize("richness", [level.label for level in Richness])
def test_an_episode_reads_as_reviewed(golden, richness):
    golden(f"blocks/medium-{richness}.txt", transcript(richness=richness, difficulty="medium", split="test"))


@pytest.mark.parametrize("verb", [["collect"], ["init-model", "tiny"], ["train", "grpo", "--model", "m"]])
def test_nothing_is_trained_on_it(verb, tmp_path, monkeypatch, capsys):
    pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    output = [] if verb[0] == "init-model" else ["--output", "out"]
    assert main([*verb, "--envs", "blocks", *output]) == 2
    assert "Blocks is for evaluation only, choose another family" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_its_name_in_a_spec_reads_back():
    spec = TaskSpec("Blocks", difficulty="hard", split="test")
    assert TaskSpec.from_json(spec.to_json()) == spec
