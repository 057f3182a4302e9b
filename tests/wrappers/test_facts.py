"""Facts of the world: the same in all tasks of a pack, told or found out, recorded and replayed."""

import re

import pytest

from agentgen_bench import TaskSpec, make
from agentgen_bench.contract import NO_FACT, Fact
from agentgen_bench.episodes import from_line, to_line
from agentgen_bench.errors import DataError, SpecError
from agentgen_bench.leaderboard.replay import replay
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import LIFECYCLE_PRESETS, LifecycleSpec
from agentgen_bench.wrappers.lifecycle import FACT, fact_seeds

PLAYERS = {
    "ALFWorld": ("house", "hard", "alfworld-housekeeper"),
    "Sokoban": ("rule", "easy", "sokoban-rule-finder"),
    "WebShop": ("shelf", "hard", "webshop-regular"),
    "SciWorld": ("substances", "easy", "sciworld-assayer"),
}
# The simulator takes a second to load the levels of a pack, and tests/sciworld/test_substances.py goes through them.
QUICK = [family if family != "SciWorld" else pytest.param(family, marks=pytest.mark.slow) for family in PLAYERS]
CONTEXTS = ("kept", "wiped", "told")


def fact_spec(family, context="kept", stream="same", tasks=4, update="note"):
    fact, difficulty, _ = PLAYERS[family]
    lifecycle = LifecycleSpec(tasks, context, stream, update)
    return TaskSpec(family, difficulty=difficulty, split="test", knobs=(("fact", fact),), lifecycle=lifecycle)


def played(family, n_packs=2, **pack):
    player = scripted_policy(PLAYERS[family][2])
    episodes = play([Job(fact_spec(family, **pack), seed) for seed in range(n_packs)], player)
    return sorted(episodes, key=lambda episode: episode.seed)


@pytest.mark.parametrize("family", QUICK)
def test_told_beats_who_writes_it_down_who_beats_who_never_learns(family):
    n_packs = 12 if family in ("Sokoban", "ALFWorld") else 30  # these learn little from one task
    told, kept, wiped = (
        [e.tasks for e in played(family, n_packs, context=context)] for context in ("told", "kept", "wiped")
    )
    assert [tasks[0].score for tasks in kept] == [tasks[0].score for tasks in wiped]
    solved = [sum(task.success for tasks in packs for task in tasks) for packs in (told, kept, wiped)]
    apart = n_packs // 3  # of n_packs * 4 tasks; benchmarks/facts.py gives intervals
    assert solved[0] > solved[1] + apart > solved[2] + 2 * apart, solved


@pytest.mark.parametrize("family", QUICK)
def test_packs_of_solve_and_update_episodes_are_played_as_those_with_notes(family):
    for context in CONTEXTS:
        notes, episodes = (played(family, 3, context=context, update=update) for update in ("note", "episode"))
        assert [[task[1:3] for task in pack.tasks] for pack in notes] == [
            [task[1:3] for task in pack.tasks] for pack in episodes
        ]
        assert [pack.facts for pack in notes] == [pack.facts for pack in episodes]


@pytest.mark.parametrize("family", QUICK)
@pytest.mark.parametrize("stream", ["same", "irrelevant", "changing"])
def test_packs_under_a_fact_replay_and_keep_their_facts_in_the_record(family, stream):
    episodes = played(family, stream=stream)
    assert replay(episodes, record_text=True) == episodes
    assert [from_line(to_line(episode)) for episode in episodes] == episodes
    for episode in episodes:
        assert len(episode.facts) == len(episode.tasks) == 4
        names = [fact.name for fact in episode.facts]
        assert names.count("none") == (stream == "irrelevant")
        assert len(set(episode.facts) - {NO_FACT}) == (2 if stream == "changing" else 1)
        assert names[0] == names[3] == PLAYERS[family][0]


@pytest.mark.parametrize("family", PLAYERS)
def test_the_three_contexts_play_the_same_levels_and_only_told_says_the_fact(family):
    envs = {context: make(fact_spec(family, context)) for context in CONTEXTS}
    first = {context: env.reset(seed=3) for context, env in envs.items()}
    assert len({info["level_id"] for _, info in first.values()}) == 1
    value = envs["told"].facts()[0].value
    assert {context for context, (text, _) in first.items() if value in text} == {"told"}
    assert f"\n{FACT}{value}\n\n" in first["told"][0]
    assert value not in str(first["kept"][1])


def test_a_pack_draws_its_fact_whatever_its_context():
    assert fact_seeds(5, LifecycleSpec(4, "kept")) == fact_seeds(5, LifecycleSpec(4, "told"))
    assert len(set(fact_seeds(5, LifecycleSpec(8)))) == 1
    assert fact_seeds(5, LifecycleSpec(8))[0] != fact_seeds(6, LifecycleSpec(8))[0]


@pytest.mark.parametrize("tasks", [4, 8, 16])
def test_one_task_in_four_is_irrelevant_and_neither_the_first_nor_the_last(tasks):
    for pack in range(20):
        seeds = fact_seeds(pack, LifecycleSpec(tasks, stream="irrelevant"))
        assert seeds.count(None) == tasks // 4
        assert None not in (seeds[0], seeds[-1])


@pytest.mark.parametrize("tasks", [4, 5, 16])
def test_a_changing_fact_changes_once_in_the_middle(tasks):
    seeds = fact_seeds(1, LifecycleSpec(tasks, stream="changing"))
    assert seeds == [seeds[0]] * (tasks // 2) + [seeds[-1]] * (tasks - tasks // 2)
    assert seeds[0] != seeds[-1]


def test_without_a_fact_records_and_specs_say_nothing_of_it():
    (episode,) = play([Job(TaskSpec("ALFWorld"), 0)], scripted_policy("noop"))
    assert episode.facts == ()
    assert '"facts"' not in to_line(episode)
    assert "stream" not in str(TaskSpec("ALFWorld", interface="opaque", lifecycle=LifecycleSpec(2)).to_json())


def test_a_fact_that_is_none_is_no_record():
    (episode,) = played("ALFWorld", 1)
    line = to_line(episode).replace('"facts": [["house", ', '"facts": [["house", true, ')
    with pytest.raises(DataError, match="a fact is not a list of name, seed and value"):
        from_line(line)
    assert isinstance(episode.facts[0], Fact)


@pytest.mark.parametrize("preset", [name for name in LIFECYCLE_PRESETS if name.startswith("pack-")])
def test_presets_say_their_size_stream_and_context(preset):
    pack = LIFECYCLE_PRESETS[preset]
    kind, tasks, *words = re.split(r"-(?=\d)|(?<=\d)-|(?<=[a-z])-(?=told|wiped|irrelevant|changing)", preset)
    assert (pack.tasks, pack.update) == (int(tasks), "note" if kind == "pack" else "episode")
    assert pack.strategy == ("cod" if kind == "pack" else kind.replace("-", "_"))
    assert {pack.stream, pack.context} - {"same", "kept"} == {word for part in words for word in part.split("-")}
    spec = TaskSpec("ALFWorld", knobs=(("fact", "house"),), lifecycle=preset)
    assert TaskSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lifecycle": "pack-4"}, "choose the interface synonym or opaque, or the family's knob fact"),
        (
            {"lifecycle": "pack-4-told", "interface": "opaque"},
            "'told' and the streams irrelevant and changing are about",
        ),
        ({"lifecycle": "pack-8-changing", "interface": "opaque"}, "choose the family's knob fact"),
        ({"fact": "castle"}, "unknown fact 'castle'; choose one of: none, house"),
        ({"fact": "house", "split": "valid_seen"}, "in houses of their own"),
    ],
)
def test_what_has_no_fact_is_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        make("AgentGen/ALFWorld-v0", **settings)


@pytest.mark.parametrize("settings", [{"tasks": 3, "stream": "irrelevant"}, {"tasks": 4, "stream": "wild"}])
def test_streams_out_of_range_are_refused(settings):
    with pytest.raises(SpecError, match="choose"):
        make("AgentGen/ALFWorld-v0", fact="house", lifecycle=LifecycleSpec(**settings))


@pytest.mark.parametrize("options", [{"fact_seed": -1}, {"fact_seed": "x"}, {"fact_seed": 1, "other": 2}])
def test_a_wrong_fact_seed_is_refused(options):
    env = make("AgentGen/ALFWorld-v0", fact="house")
    with pytest.raises(SpecError, match=r"choose an integer from 0|takes no options"):
        env.reset(seed=0, options=options)
