"""Packs of solve and update episodes: prompts, contexts, what is kept of them, strategies, records."""

from dataclasses import replace
from itertools import pairwise

import pytest

from agentgen_bench import Session, TaskSpec, make
from agentgen_bench.contract import NOTHING_KEPT, text_task
from agentgen_bench.episodes import from_line, to_line
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.evaluation.recorded import check_played
from agentgen_bench.leaderboard.replay import replay
from agentgen_bench.parsing.context import CONTEXT_BEGIN, CONTEXT_END
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.policies.pack_frames import frame_of
from agentgen_bench.prompts import KEPT, PROTOCOLS, PromptConfig, as_text, messages
from agentgen_bench.rollout import Job, play
from agentgen_bench.scores.packs import pack_scores
from agentgen_bench.spec import LIFECYCLE_PRESETS, InterfaceSpec, LifecycleSpec
from agentgen_bench.train.demonstrations import demonstrations
from agentgen_bench.wrappers.cycles import CUT, LEFT_OUT, NO_ACTION_SHOWN, Seen, trajectory
from agentgen_bench.wrappers.lifecycle import level_seeds

THREE = LifecycleSpec(3, update="episode")
LEARNT = "fraz is up\nzorp is down"
WINDOW = PromptConfig()


def cod(family="Sokoban", lifecycle=THREE, **settings):
    return TaskSpec(family, split="test", interface="opaque", lifecycle=lifecycle, **settings)


class Learner:
    """Knows what to do wherever something was kept of an earlier task, and nothing else; keeps every prompt."""

    name = "learner"

    def __init__(self):
        self.read, self.batches = [], []

    def act_on(self, tasks):
        self.batches.append(len(tasks))
        return [self._decide(task) for task in tasks]

    def describe(self):
        return {"kind": self.name}

    def _decide(self, task):
        if task._is_writing:
            return Decision(LEARNT, LEARNT)
        return Decision("go", task.expert_action()) if task._kept else Decision("", None)


class Reader:
    """Plays at random, writes contexts, and keeps every history it was given."""

    name = "reader"

    def __init__(self, context=LEARNT):
        self.inner, self.context, self.read = scripted_policy("random", 0), context, []

    def act(self, asked):
        self.read += asked
        written = Decision(self.context, self.context)
        return [written if history.asks_context else self.inner.act([history])[0] for history in asked]

    def describe(self):
        return {"kind": self.name}


def played(spec, *seeds, policy=None, **settings):
    return list(play([Job(spec, seed) for seed in seeds or (1,)], policy or Reader(), **settings))


@pytest.mark.parametrize("family", ["Sokoban", "WebShop", "Blocks", pytest.param("SciWorld", marks=pytest.mark.slow)])
def test_the_expert_solves_every_task_and_solve_and_update_episodes_alternate(family):
    (episode,) = played(cod(family), policy=scripted_policy("oracle"))
    assert (episode.success, len(episode.steps)) == (True, episode.expert_length)
    assert [part.context_chars for part in episode.parts] == [None, 2000, None, 2000, None]
    assert [part.start for part in episode.parts[::2]] == [task.start for task in episode.tasks]
    assert sum(part.max_steps for part in episode.parts) == episode.max_steps
    assert all(part.start + 1 == after.start for part, after in pairwise(episode.parts) if part.context_chars)


def test_a_task_reads_as_it_does_outside_of_a_pack():
    env = make(cod())
    _, info = env.reset(seed=2)
    naming = InterfaceSpec("opaque", env._options["interface_seed"])
    alone = make(cod(lifecycle="none").with_(interface=naming))
    observation, own = alone.reset(seed=6)
    assert (info["part"].task, info["part"].max_steps) == (own["task"], text_task(alone).max_steps)
    words = [sorted(text.replace(",", " ").replace(".", " ").split()) for text in (env._observation, observation)]
    assert words[0] == words[1]  # lists of actions are in another order
    assert own["task"] not in info["task"]
    env.close()
    alone.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_was_kept_stands_once_in_every_prompt_of_a_task_under_its_heading(protocol):
    reader, config = Reader(), PromptConfig(protocol=protocol)
    played(cod(), policy=reader)
    for history in reader.read:
        text = as_text(messages(history, config))
        is_told = bool(history.context) and not history.asks_context
        assert text.count(f"{KEPT}\n{LEARNT}\n\n") == is_told
        assert text.count(KEPT) <= 1
        assert history.step <= history.max_steps
    assert {history.context for history in reader.read if history.task} == {"", LEARNT}


def test_an_update_reads_the_last_context_the_task_as_it_was_played_its_score_and_what_is_said_of_it():
    reader = Reader()
    played(cod(), policy=reader)
    first, second = [history for history in reader.read if history.asks_context]
    before = reader.read[: reader.read.index(first)]
    text = as_text(messages(first, WINDOW))
    assert "Context kept so far:\n(empty)\n\n" in text
    assert f"Context kept so far:\n{LEARNT}\n\n" in as_text(messages(second, WINDOW))
    assert f"The task was: {before[0].task}\n" in text
    assert before[0].observation in text
    assert f"after {len(before)} of at most {before[0].max_steps} steps. Score: " in text
    assert f"at most 2000 characters, between these two lines:\n{CONTEXT_BEGIN}\n{CONTEXT_END}" in text
    assert (first.turns, first.step, first.max_steps) == ((), 1, 1)


def test_a_pack_of_solve_and_update_episodes_reads_as_the_golden_file_says(golden):
    with Session(cod(lifecycle=replace(THREE, tasks=2, trajectory_chars=1500)), 0) as session:
        view, shown = session.start(), []
        while not view.done:
            running = session._begun()
            answer = f"<action>{running.task.expert_action()}</action>"
            if running.history().asks_context:
                answer = f"{CONTEXT_BEGIN}\n{LEARNT}\n{CONTEXT_END}"
            shown += [view.text, f"> {answer}"] if running.history().step == 1 else []
            view = session.answer(answer)
    golden("wrappers/sokoban-cod.txt", "\n\n".join(shown) + "\n")


WHOLE = f"{CONTEXT_BEGIN}\n{LEARNT}\n{CONTEXT_END}"


@pytest.mark.parametrize(
    ("completion", "kept", "reason"),
    [
        (WHOLE, LEARNT, None),
        (f"<think>{CONTEXT_BEGIN}</think>\nHere:\n {CONTEXT_BEGIN} \n{LEARNT}\n{CONTEXT_END}\nDone.", LEARNT, None),
        (f"{CONTEXT_BEGIN}\n{NOTHING_KEPT}\n{CONTEXT_END}", "", None),
        ("", "", "empty"),
        (LEARNT, "", "no_action"),
        (f"<think>{WHOLE}", "", "unclosed"),
        (f"{CONTEXT_BEGIN}\n{LEARNT}", "", "unclosed"),
        (f"{CONTEXT_END}\n{LEARNT}\n{CONTEXT_BEGIN}", "", "unclosed"),
        (f"{WHOLE}\n{WHOLE}", "", "several_actions"),
        (f"{CONTEXT_BEGIN}\n \n{CONTEXT_END}", "", "empty_action"),
        (f"{CONTEXT_BEGIN}\n{'x' * 2001}\n{CONTEXT_END}", "", "too_long"),
        (f"{CONTEXT_BEGIN}\n\ud800\n{CONTEXT_END}", "", "not_encodable"),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_cannot_be_read_keeps_nothing_and_is_recorded(completion, kept, reason, protocol):
    with Session(cod(), 0, prompt=PromptConfig(protocol=protocol)) as session:
        session.start()
        while not session._begun().history().asks_context:
            session.answer("")
        view = session.answer(completion, completion_tokens=7)
        step, history = session._begun().steps[-1], session._begun().history()
    assert (view.reason, step.parse_reason, step.is_action_valid) == (reason, reason, reason is None)
    assert (history.context, history.step, step.completion_tokens) == (kept, 1, 7)
    assert not history.turns


def test_a_context_too_long_for_the_environment_is_none():
    env = make(cod(lifecycle=replace(THREE, context_chars=10)))
    for context, kept in (("x" * 11, ""), ("y" * 10, "y" * 10), ("", ""), (NOTHING_KEPT, "")):
        _, info = env.reset(seed=0)
        while info["part"].context_chars is None:
            info = env.step("")[4]
        info = env.step(context)[4]
        assert (info["part"].context, info["is_action_valid"]) == (kept, len(context) in (10, len(NOTHING_KEPT)))
    env.close()


PLAYED = [Seen("", "a" * 90), *(Seen(f"act {k}", str(k) * 40) for k in range(1, 9))]


@pytest.mark.parametrize(
    ("seen", "max_chars", "shown", "left_out"),
    [
        (PLAYED, 10_000, range(1, 9), 0),
        (PLAYED, 400, range(5, 9), 4),  # 102 characters of beginning, then four steps of 67
        (PLAYED, 210, range(8, 9), 7),
        (PLAYED, 40, range(8, 9), 7),  # both ends are cut
        (PLAYED[:1], 40, range(0), 0),
    ],
)
def test_a_trajectory_is_bounded_and_keeps_its_beginning_and_its_last_steps(seen, max_chars, shown, left_out):
    text = trajectory(seen, max_chars)
    around = len(LEFT_OUT) + 2 * len(CUT) + 2 * len(seen)
    assert len(text) <= max_chars + around
    assert text.startswith(f"Observation:\n{seen[0].observation}"[: max_chars // 2])
    assert [k for k in range(1, 9) if f"Action: act {k}"[:max_chars] in text] == list(shown)
    assert (LEFT_OUT.format(steps=left_out) in text) == (left_out > 0)


def test_a_context_is_worth_what_the_twin_without_it_lacks():
    policy = Learner()
    kept, wiped = (
        played(cod(), 0, policy=policy),
        played(cod(lifecycle=replace(THREE, context="wiped")), 0, policy=policy),
    )
    scores, _ = pack_scores([[*kept, *wiped]])
    assert [task.score for task in kept[0].tasks][1:] == [1.0, 1.0]
    assert scores.gain is not None
    gained = [a.score - b.score for a, b in zip(kept[0].tasks, wiped[0].tasks, strict=True)]
    assert scores.gain.value == pytest.approx(sum(gained) / 3)
    assert kept[0].level_id == wiped[0].level_id
    assert [part.context_chars for part in wiped[0].parts] == [None] * 3
    assert [part.context for part in wiped[0].parts] == [""] * 3


@pytest.mark.parametrize("lifecycle", [THREE, replace(THREE, context="wiped"), replace(THREE, strategy="ralph_full")])
@pytest.mark.parametrize("family", ["Sokoban", "WebShop"])
def test_a_record_survives_its_line_replays_and_gives_back_every_history(family, lifecycle):
    reader, spec = Reader(), cod(family, lifecycle)
    episodes = played(spec, 0, 1, policy=reader, workers=1)
    assert [from_line(to_line(episode)) for episode in episodes] == episodes
    assert replay(episodes, record_text=True) == episodes
    rebuilt = [history for episode in episodes for history in histories(episode)]
    assert rebuilt == [replace(history, key=()) for history in reader.read]
    env = make(spec)
    check_played(episodes[0].compact(), Job(spec, 0), env)
    env.close()


def test_demonstrations_hold_updates_as_conversations_of_their_own():
    spec = cod().with_(split="train")
    (episode,) = played(spec)
    rows = list(demonstrations(episode, PromptConfig(thinking=False)))
    updates = [row for row in rows if CONTEXT_BEGIN in row.completion[0].content]
    assert [row.completion[0].content for row in updates] == [WHOLE] * 2
    expected = [messages(h, PromptConfig(thinking=False)) for h in histories(episode) if h.asks_context]
    assert [list(row.prompt) for row in updates] == expected
    chats = list(demonstrations(episode, PromptConfig(thinking=False, protocol="tools")))
    assert [len(chat.completion) for chat in chats[1::2]] == [1, 1]
    assert [chat.tools == () for chat in chats] == [False, True, False, True, False]


def test_a_record_of_any_other_episode_is_written_as_before():
    for lifecycle in ("none", "pack-4"):
        (episode,) = played(cod(lifecycle=lifecycle))
        assert '"parts"' not in to_line(episode)
        assert episode.parts == ()


def test_a_pack_that_crashed_holds_the_parts_that_were_begun():
    class Broken(Reader):
        def act(self, asked):
            failed = Decision("", None, failure="boom")
            return [failed if h.asks_context and h.context else super(Broken, self).act([h])[0] for h in asked]

    reader = Broken()
    (episode,) = played(cod(), policy=reader)
    assert (episode.ending, len(episode.tasks), len(episode.parts)) == ("error", 2, 4)
    assert list(histories(episode)) == [replace(history, key=()) for history in reader.read]


def test_ralph_plays_one_level_again_and_again():
    assert level_seeds(5, LifecycleSpec(4)) == [20, 21, 22, 23]
    assert level_seeds(5, LifecycleSpec(4, strategy="ralph_full")) == [5] * 4
    assert level_seeds(5, LifecycleSpec(4, strategy="ralph_sample")) == [20] * 4
    env = make(cod(lifecycle="ralph-sample-4"))
    first = make(cod(lifecycle="cod-4")).reset(seed=3)[0]
    starts = [env.reset(seed=3)[0]]
    number = 1
    while number < 4:
        observation, _, _, _, info = env.step(text_task(env).expert_action())
        if info["task_number"] > number:
            starts, number = [*starts, observation], info["task_number"]
    assert starts == [first] * 4
    env.close()


def test_packs_run_beside_one_another_and_fill_every_batch():
    policy = Learner()
    wiped = cod(lifecycle=replace(THREE, context="wiped"))
    episodes = played(wiped, 0, 1, 2, 3, policy=policy, workers=4)
    (shortest, *_) = sorted(episode.max_steps for episode in episodes)
    assert policy.batches[:shortest] == [4] * shortest


def test_a_checkpoint_meets_the_packs_that_every_other_met():
    one, other = (played(cod(), 0, 1, policy=policy) for policy in (Reader(), scripted_policy("noop")))
    assert [episode.level_id for episode in one] == [episode.level_id for episode in other]


def test_specs_are_named_survive_json_and_say_no_more_than_they_must():
    for name in ("cod-4", "cod-8-wiped", "cod-16-told", "ralph-full-8", "ralph-sample-4-wiped"):
        assert LIFECYCLE_PRESETS[name].update == "episode"
    spec = cod(lifecycle=LIFECYCLE_PRESETS["ralph-sample-4-wiped"])
    assert TaskSpec.from_json(spec.to_json()) == spec
    assert spec.to_json()["lifecycle"] == {
        "tasks": 4,
        "context": "wiped",
        "update": "episode",
        "strategy": "ralph_sample",
    }
    assert cod(lifecycle=LifecycleSpec(3)).to_json()["lifecycle"] == {"tasks": 3, "context": "kept"}


@pytest.mark.parametrize(
    "settings",
    [{"update": "never"}, {"strategy": "homer"}, {"context_chars": 0}, {"trajectory_chars": 10**6}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SpecError, match="choose"):
        make(cod(lifecycle=LifecycleSpec(**settings)))


def test_another_fact_in_the_middle_of_one_task_again_and_again_is_refused():
    with pytest.raises(SpecError, match="stream 'same', or the strategy 'cod'"):
        LifecycleSpec(4, stream="changing", strategy="ralph_full")


FACTS = [
    ("Sokoban", "easy", "rule", "sokoban-rule-finder"),
    ("ALFWorld", "hard", "house", "alfworld-housekeeper"),
    ("WebShop", "hard", "shelf", "webshop-regular"),
]


@pytest.mark.parametrize(("family", "difficulty", "fact", "policy"), FACTS)
def test_what_an_update_reads_is_the_task_as_it_was_played(family, difficulty, fact, policy):
    spec = TaskSpec(family, difficulty=difficulty, split="test", knobs=(("fact", fact),), lifecycle=THREE)
    (episode,) = played(spec, policy=scripted_policy(policy))
    steps = list(zip(histories(episode), episode.steps, strict=True))
    for end, (update, _) in enumerate(steps):
        if update.asks_context and "steps left out" not in update.observation:
            solve = [history for history, _ in steps[:end] if history.key == ()][-len(steps[end - 1][0].turns) - 1 :]
            alone = frame_of(update).alone
            assert [turn.observation for turn in alone.turns] == [history.observation for history in solve]
            own = [step.action or NO_ACTION_SHOWN for _, step in steps[end - len(solve) : end]]
            assert [turn.action for turn in alone.turns] == own
            assert alone.task == solve[0].task
            assert "The task is over: it was " in alone.observation


def test_an_update_quotes_no_action_that_cannot_be_encoded():
    env = make(cod())
    env.reset(seed=0)
    while not (task := text_task(env))._is_writing:
        observation = env.step("\ud800" if task._elapsed == 0 else task.expert_action())[0]
    assert f"Action: {NO_ACTION_SHOWN}\n" in observation
    assert observation in env.observation_space


def test_a_gap_in_what_an_update_reads_is_no_action():
    spec = TaskSpec("Sokoban", split="test", knobs=(("fact", "rule"),), lifecycle=replace(THREE, trajectory_chars=2000))
    reader = Reader()
    played(spec, policy=reader)
    update = next(history for history in reader.read if history.asks_context)
    assert "steps left out" in update.observation
    turns = frame_of(update).alone.turns
    assert turns[0].action is None
    assert all(turn.action for turn in turns[1:])


def test_who_writes_a_fact_into_the_context_does_better_from_the_second_task_on_and_is_told_apart_from_who_cannot():
    packs = {}
    for context in ("told", "kept", "wiped"):
        lifecycle = replace(THREE, context=context)
        spec = TaskSpec("Sokoban", split="test", knobs=(("fact", "rule"),), lifecycle=lifecycle)
        episodes = played(spec, *range(6), policy=scripted_policy("sokoban-rule-finder"), record_text=False)
        packs[context] = [[task.success for task in episode.tasks] for episode in episodes]
    told, kept, wiped = (sum(map(sum, packs[context])) for context in ("told", "kept", "wiped"))
    assert told == 18 > kept > wiped
    assert [pack[0] for pack in packs["kept"]] == [pack[0] for pack in packs["wiped"]]
