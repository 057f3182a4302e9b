"""Paraphrases say what the task says: the goal is rebuilt from their text alone, in every family."""

import itertools
import json
from pathlib import Path

import pytest

from agentgen_bench import TaskSpec, make
from agentgen_bench.contract import text_task
from agentgen_bench.envs.alfworld import text as alfworld_text
from agentgen_bench.envs.alfworld.paraphrases import FORMS as ALFWORLD
from agentgen_bench.envs.alfworld.tasks import TASK_TYPES, read_task
from agentgen_bench.envs.paraphrasing import Form, original_of, paraphrased
from agentgen_bench.envs.sciworld.paraphrases import FORMS as SCIWORLD
from agentgen_bench.envs.sokoban.paraphrases import FORMS as SOKOBAN
from agentgen_bench.envs.webshop import text as webshop_text
from agentgen_bench.envs.webshop.levels import generated_level
from agentgen_bench.envs.webshop.nouns import noun_finder
from agentgen_bench.envs.webshop.vocabulary import TYPES
from agentgen_bench.envs.webshop.wording import HELD_OUT, SEEN, Wishes, _item, with_articles
from agentgen_bench.errors import SpecError
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.rollout import Job, play
from agentgen_bench.text import render
from tests.webshop.shops import preset_shop

DESCRIPTIONS = Path(__file__).parent / "sciworld" / "descriptions.json"  # of scienceworld 1.2.3, three for each task
FAMILIES = ("ALFWorld", "SciWorld", "Sokoban", "WebShop")
SEEDS = range(1, 40)


def words_of(forms: tuple[Form, ...], task: str) -> set[str]:
    """Return the paraphrases that 39 seeds give."""
    return {paraphrased(forms, task, seed, "test", "level") for seed in SEEDS}


@pytest.mark.parametrize("task_type", TASK_TYPES)
def test_the_goal_of_an_alfworld_task_is_read_back(task_type):
    for wording, thing, place in itertools.product((0, 1), ("apple", "glassbottle"), ("desk", "fridge")):
        task = alfworld_text.task(task_type, thing, place, wording)
        others = words_of(ALFWORLD, task)
        assert len(others) >= 3
        assert task not in others
        assert {read_task(original_of(ALFWORLD, text)) for text in others} == {read_task(task)}


@pytest.mark.parametrize("name", json.loads(DESCRIPTIONS.read_text()))
def test_the_simulators_own_sentence_is_rebuilt_from_every_paraphrase(name):
    for task in json.loads(DESCRIPTIONS.read_text())[name]:
        others = words_of(SCIWORLD, task)
        assert len(others) >= 2
        assert task not in others
        assert {original_of(SCIWORLD, text) for text in others} == {task}


@pytest.mark.slow
def test_every_task_of_the_simulator_has_a_form():
    env = make(TaskSpec("SciWorld", difficulty="paper", split="test"))
    for seed in range(150):
        _, info = env.reset(seed=seed)
        assert {original_of(SCIWORLD, text) for text in words_of(SCIWORLD, info["task"])} == {info["task"]}
    env.close()


@pytest.mark.parametrize("task", ["Push the box onto the target.", "Push the 3 boxes onto the 3 goals."])
def test_the_task_of_a_sokoban_level_is_rebuilt(task):
    assert {original_of(SOKOBAN, text) for text in words_of(SOKOBAN, task)} == {task}
    assert len(words_of(SOKOBAN, task)) == 4


@pytest.mark.parametrize("forms", [ALFWORLD, SCIWORLD, SOKOBAN], ids=["ALFWorld", "SciWorld", "Sokoban"])
def test_all_ways_to_say_a_task_have_the_same_holes(forms):
    for form in forms:
        holes = [{part.split("}")[0] for part in text.split("{")[1:]} for text in (form.original, *form.others)]
        assert all(found == holes[0] for found in holes)


def wishes_in(text: str, held_out: bool) -> list[Wishes]:
    """Return all wishes that could be worded so, found by trying: each kind, attributes, options and limits named."""
    found = []
    for _, kind in TYPES:
        if kind.name not in text:
            continue
        named = [[(group, value) for value in group.values if value in text] for group in kind.groups]
        options = [
            [(one.name, value, one.phrase) for value in one.values if value in text] for one in kind.options
        ]  # fmt: skip
        caps = [None, *{int(digits) for digits in "".join(c if c.isdigit() else " " for c in text).split()}]
        for attributes in itertools.product(*[[None, *group] for group in named]):
            wanted = tuple(one for one in attributes if one)
            if with_articles(_item(Wishes(kind, wanted, (), None))).lower() not in text.lower():
                continue
            for picks, cap in itertools.product(itertools.product(*[[None, *option] for option in options]), caps):
                wishes = Wishes(kind, wanted, tuple(one for one in picks if one), cap)
                if text in worded(wishes, held_out):
                    found.append(wishes)
    return found


def worded(wishes: Wishes, held_out: bool) -> set[str]:
    """Return every request for these wishes."""

    class Each:
        """Draws that pick a certain template."""

        def __init__(self, place: int) -> None:
            self.place = place

        def pick(self, items):
            return items[self.place]

    return {webshop_text.task(wishes, "varied", held_out, Each(k)) for k in range(len(HELD_OUT if held_out else SEEN))}


@pytest.mark.parametrize("difficulty", ["easy", "medium"])
def test_what_a_webshop_request_asks_for_is_found_back_from_its_words(difficulty):
    shop, nouns, changed = preset_shop(difficulty), noun_finder("catalog"), 0
    for seed in range(12):
        plain = generated_level(shop, seed, "varied", False, nouns)
        for paraphrase in (1, 2):
            level = generated_level(shop, seed, "varied", False, nouns, paraphrase)
            assert level._replace(goal=level.goal._replace(instruction="")) == plain._replace(
                goal=plain.goal._replace(instruction="")
            )
            changed += level.goal.instruction != plain.goal.instruction
            (wishes,) = wishes_in(level.goal.instruction, held_out=False)
            assert wishes in wishes_in(plain.goal.instruction, held_out=False)
            assert tuple((name, value) for name, value, _ in wishes.options) == level.goal.options
            assert wishes.kind.plural == level.goal.query
    assert changed > 12


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("richness", ["lean", "rich"])
def test_a_paraphrase_changes_the_words_of_the_task_and_nothing_else(family, richness):
    envs = [make(TaskSpec.of(family, richness=richness, paraphrase=n)) for n in (0, 3)]
    texts = []
    for env in envs:
        observation, info = env.reset(seed=4)
        seen = [(observation, info)]
        for _ in range(3):
            observation, *rest, info = env.step(text_task(env).expert_action())
            seen.append((observation, info))
            if any(rest[1:]):
                break
        texts.append((text_task(env).task, text_task(env).level_id, seen))
        env.close()
    (task, level_id, plain), (other, same_id, reworded) = texts
    assert (other != task, same_id) == (True, level_id)
    for (observation, info), (text, changed) in zip(plain, reworded, strict=True):
        assert observation.replace(task, other) == text == render(changed["sections"])
        # WebShop lists a search for the words of the request itself.
        commands = tuple(command.replace(task.lower(), other.lower()) for command in info["admissible_commands"])
        assert {**info, "sections": (), "task": other, "admissible_commands": commands} == {**changed, "sections": ()}


@pytest.mark.parametrize(
    ("family", "policy"),
    [("ALFWorld", "alfworld-list-searcher"), ("SciWorld", "sciworld-reader"), ("Sokoban", "oracle")],
)
def test_whoever_reads_the_task_reads_the_paraphrase_too(family, policy):
    for paraphrase in (0, 5):
        spec = TaskSpec.of(family, richness="lean", paraphrase=paraphrase)
        jobs = [Job(spec, seed) for seed in (1, 2)]
        assert all(episode.success for episode in play(jobs, scripted_policy(policy)))


def test_another_number_is_another_wording_and_the_same_number_the_same():
    def task(paraphrase):
        env = make(TaskSpec.of("ALFWorld", paraphrase=paraphrase))
        return [env.reset(seed=seed)[1]["task"] for seed in range(6)]

    assert task(1) == task(1)
    assert task(1) != task(2)


def test_wrong_settings_are_named():
    with pytest.raises(SpecError, match="paraphrase"):
        make(TaskSpec.of("Sokoban", paraphrase=-1))
    with pytest.raises(SpecError, match="paraphrase=1 belongs to generated goals only"):
        make(TaskSpec.of("WebShop", difficulty="paper", paraphrase=1))
