import pytest

from agentgen_bench.text import Richness
from tests.sokoban.boards import make

ACTIONS = ("left", "jump", "up", "right", "down")  # a script that walks, bumps and says nonsense, then the oracle


def transcript(**knobs):
    env = make(**knobs)
    observation, info = env.reset(seed=1)
    lines = [f"level {info['level_id']}, {env.max_steps} steps, admissible: {', '.join(info['admissible_commands'])}"]
    lines.append(observation)
    script = iter(ACTIONS)
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
    golden(f"sokoban/easy-{richness}.txt", transcript(richness=richness, size=6, boxes=2, pushes=2))


@pytest.mark.parametrize("board", ["xsb", "coords"])
def test_an_episode_in_other_words_reads_as_reviewed(golden, board):
    golden(f"sokoban/easy-rich-{board}.txt", transcript(richness="rich", size=6, boxes=1, pushes=2, board=board))


def test_a_large_board_reads_as_reviewed(golden):
    observation, _ = make(richness="rich", difficulty="hard", split="test").reset(seed=0)
    golden("sokoban/hard-rich-start.txt", observation + "\n")
