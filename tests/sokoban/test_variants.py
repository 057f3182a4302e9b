"""Other rules of how boxes move: what a move does, optima against the usual solvers, and texts that tell nothing."""

import pickle
from itertools import pairwise

import gymnasium as gym
import pytest

from agentgen_bench import make
from agentgen_bench.envs.sokoban.boxoban import start_of
from agentgen_bench.envs.sokoban.levels import generate
from agentgen_bench.envs.sokoban.moves import count_shortest_plans
from agentgen_bench.envs.sokoban.rules import DOWN, LEFT, RIGHT, UP, USUAL, neighbours
from agentgen_bench.envs.sokoban.settings import PRESETS
from agentgen_bench.envs.sokoban.solver import push_distances
from agentgen_bench.envs.sokoban.variants import HIDDEN, RULES, count_plans, level_under, plan_under, rule_of, table_of
from agentgen_bench.errors import SpecError

BOARD = ["######", "#    #", "# $@ #", "#  $ #", "# .. #", "######"]
MOVED = {  # by rule: the board after walking left into the one box, and after walking down into the other
    USUAL: (
        ["######", "#    #", "#$@  #", "#  $ #", "# .. #", "######"],
        ["######", "#    #", "# $  #", "#  @ #", "# .* #", "######"],
    ),
    "swap": (
        ["######", "#    #", "# @$ #", "#  $ #", "# .. #", "######"],
        ["######", "#    #", "# $$ #", "#  @ #", "# .. #", "######"],
    ),
    "leap": (
        ["######", "#    #", "#@ $ #", "#  $ #", "# .. #", "######"],
        ["######", "#    #", "# $$ #", "#    #", "# .+ #", "######"],
    ),
    "left": (
        ["######", "#    #", "# @  #", "# $$ #", "# .. #", "######"],
        ["######", "#    #", "# $  #", "#  @$#", "# .. #", "######"],
    ),
    "right": (
        ["######", "# $  #", "# @  #", "#  $ #", "# .. #", "######"],
        ["######", "#    #", "# $  #", "# $@ #", "# .. #", "######"],
    ),
}
EASY = PRESETS["easy"]


@pytest.mark.parametrize("rule", RULES)
def test_a_move_does_what_the_rule_says(rule):
    start = start_of(BOARD, "here")
    for direction, rows in zip((LEFT, DOWN), MOVED[rule], strict=True):
        after = start_of(rows, "here")
        moved = RULES[rule].step(neighbours(start.floor), start.boxes, start.player, direction)
        assert moved == (after.boxes, after.player)
    for direction in (UP, RIGHT):  # there is no box
        moved = RULES[rule].step(neighbours(start.floor), start.boxes, start.player, direction)
        assert moved == RULES[USUAL].step(neighbours(start.floor), start.boxes, start.player, direction)


def test_under_the_usual_rule_the_search_agrees_with_the_solvers():
    for level in generate(EASY, "test", range(12)):
        table = table_of(USUAL, *level[1:5])
        assert table.moves[level.boxes, level.player] == level.optimal_moves == len(plan_under(USUAL, *level[1:5]))
        states = list(table.moves)[:200]
        assert [table.pushes[state] for state in states] == push_distances(level.floor, level.goals, states)
        assert count_plans(level) == count_shortest_plans(*level[1:5])


@pytest.mark.parametrize("rule", HIDDEN)
@pytest.mark.parametrize("difficulty", ["easy", "paper"])
def test_a_level_has_its_optimum_under_its_rule(rule, difficulty):
    for seed in range(2):
        level = level_under(rule, PRESETS[difficulty], "test", seed)
        plan = plan_under(rule, *level[1:5])
        assert level.optimal_moves == len(plan)
        states = [(level.boxes, level.player)]
        for direction in plan:
            states.append(RULES[rule].step(neighbours(level.floor), *states[-1], direction))
        assert states[-1][0] == level.goals
        assert level.optimal_pushes <= sum(a[0] != b[0] for a, b in pairwise(states))
        assert level.level_id != level._replace(rule=USUAL).level_id


@pytest.mark.parametrize("richness", ["lean", "base", "rich"])
@pytest.mark.parametrize("seed", range(4))  # of a fact
def test_no_text_tells_the_rule_and_the_expert_takes_the_fewest_moves(richness, seed):
    env = make(f"AgentGen/Sokoban-{richness}-v0", fact="rule")
    seen, info = env.reset(seed=1, options={"fact_seed": seed})
    copy = pickle.loads(pickle.dumps(env))
    terminated, steps = False, 0
    while not terminated:
        action = env.unwrapped.expert_action()
        text, _, terminated, _, info = env.step(action)
        assert copy.step(action)[0] == text
        seen, steps = seen + text, steps + 1
    assert info["success"]
    assert steps == env.unwrapped.expert_length <= env.unwrapped.max_steps
    for telling in [rule.text for rule in RULES.values()] + ["push it", "behind the box", "behind it"]:
        assert telling not in seen
    analysis = env.unwrapped.analysis()
    assert (analysis["regret_moves"], analysis["first_fatal_push"]) == (0, None)
    assert env.unwrapped.facts()[0].value == RULES[rule_of(seed)].text


def test_seeds_draw_every_rule():
    assert {rule_of(seed) for seed in range(40)} == set(HIDDEN)


def test_boards_stepped_together_play_under_their_rules_too():
    vector = gym.make_vec("AgentGen/Sokoban-v0", 4, vectorization_mode="vector_entry_point", fact="rule")
    singles = [make("AgentGen/Sokoban-v0", fact="rule") for _ in range(4)]
    seen, _ = vector.reset(seed=5)
    assert list(seen) == [env.reset(seed=5 + i)[0] for i, env in enumerate(singles)]
    for action in ("up", "left", "down", "right"):
        seen, *_ = vector.step([action] * 4)
        assert list(seen) == [env.step(action)[0] for env in singles]


@pytest.mark.parametrize("knobs", [{"difficulty": "hard"}, {"boxes": 3}, {"paraphrase": 2}, {"levels": "here.txt"}])
def test_what_cannot_be_solved_anew_is_refused(knobs):
    with pytest.raises(SpecError, match="fact='rule'"):
        make("AgentGen/Sokoban-v0", fact="rule", **knobs)
