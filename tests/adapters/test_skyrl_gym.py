"""The contract with skyrl-gym: the four families through `skyrl_gym.make`, as its trainer plays."""

from importlib.util import find_spec

import pytest

from agentgen_bench import Session, TaskSpec
from agentgen_bench.errors import SpecError
from agentgen_bench.rows import setting_rows, suite_rows
from tests.adapters.playing import FAMILIES, SEED, answers, expert, hashes, row_of, spec_of

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("skyrl_gym") is None, reason="needs pip install 'agentgen-bench[skyrl-gym]'"),
]
TABLE = [{"role": "user", "content": "core-v1"}]


def made(row, **config):
    import skyrl_gym

    import agentgen_bench.adapters.skyrl_gym  # noqa: F401 - registers the environment

    return skyrl_gym.make("agentgen", env_config=config, extras=row)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_oracles_answers_solve_a_level_and_leave_its_record(family):
    oracle = expert(family)
    env = made(row_of(family) | {"max_turns": 200})
    chat, _ = env.init(TABLE)
    rewards = []
    for answer in answers(oracle):
        chat.append({"role": "assistant", "content": answer})
        output = env.step(answer)
        chat += output["observations"]
        rewards.append(output["reward"])
    assert output["done"]
    assert sum(rewards) == oracle.episode_return
    assert env.get_metrics() == {
        "success": 1.0,
        "score": 1.0,
        "return": oracle.episode_return,
        "steps": len(oracle.steps),
        "invalid": 0.0,
        "error": 0.0,
    }
    assert hashes(env.session.episode()) == hashes(oracle)


def test_the_conversation_is_that_of_evaluation():
    env = made(row_of("Sokoban"), action_hints="full")
    chat, _ = env.init(TABLE)
    with Session(spec_of("Sokoban"), SEED, prompt=env.session.prompt) as session:
        view = session.start()
        for answer in ("<action>up</action>", "no action", "<action>down</action>"):
            view = session.answer(answer)
            chat += [{"role": "assistant", "content": answer}, *env.step(answer)["observations"]]
        assert chat == [message._asdict() for message in view.messages]
    env.close()


def test_metrics_are_averaged_by_the_package():
    from skyrl_gym.metrics import aggregate_for_environment

    env = made(row_of("Sokoban"))
    env.init(TABLE)
    env.step("no action")
    lost = env.get_metrics()
    assert (lost["success"], lost["steps"], lost["invalid"], lost["error"]) == (0.0, 1.0, 1.0, 1.0)
    won = {**lost, "success": 1.0, "error": 0.0}
    assert aggregate_for_environment("agentgen", [lost, won])["success"] == 0.5


def test_a_row_of_a_suite_is_its_frozen_level():
    env = made(suite_rows("smoke")[3] | {"data_source": "smoke", "uid": "3"})
    env.init(TABLE)
    env.close()
    with Session.frozen("smoke", 0, 3) as session:
        session.start()
    assert env.session.episode().level_id == session.episode().level_id


def test_fewer_turns_than_the_level_has_steps_are_refused():
    env = made(row_of("Sokoban") | {"max_turns": 1})
    with pytest.raises(SpecError, match=r"max_turns=1 ends the episode early; set it to \d+ or more"):
        env.init(TABLE)


def test_a_pack_is_refused():
    (row,) = setting_rows(TaskSpec("Sokoban", interface="opaque", lifecycle="pack-4"), 1)
    with pytest.raises(SpecError, match="a pack begins a conversation with each task"):
        made(row)
