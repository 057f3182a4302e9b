import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.episodes import SCHEMA_VERSION, Episode, chain, from_line, read_episodes, to_line
from agentgen_bench.errors import DataError
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import LifecycleSpec, TaskSpec
from tests.strategies import encodable_texts, episodes

SPEC = TaskSpec("Sokoban").to_json()
LINE = to_line(next(play([Job(TaskSpec("Sokoban"), 0)], scripted_policy("noop"))))
OPTIONAL = {field.name for field in dataclasses.fields(Episode) if field.default is not dataclasses.MISSING}


@given(episodes)
def test_an_episode_survives_its_line(episode):
    line = to_line(episode)
    assert from_line(line) == episode
    assert "\n" not in line


@given(episodes)
def test_a_line_can_be_written_to_any_file(episode):
    assert to_line(episode).isascii()


@given(st.lists(episodes, max_size=3), st.data())
def test_a_torn_last_line_costs_that_episode_only(tmp_path_factory, recorded, data):
    path = tmp_path_factory.mktemp("run") / "episodes.jsonl"
    content = b"".join(to_line(episode).encode() + b"\n" for episode in recorded)
    torn = data.draw(st.binary(max_size=20).filter(lambda piece: b"\n" not in piece))
    path.write_bytes(content + torn)
    assert list(read_episodes(path)) == recorded


@given(encodable_texts, encodable_texts)
def test_the_chain_depends_on_every_observation_before_it(first, second):
    assert (chain(chain("", first), "x") == chain(chain("", second), "x")) == (first == second)


@given(st.text())
def test_any_other_line_is_refused_with_a_data_error(line):
    with pytest.raises(DataError):
        from_line(line)


@given(episodes, st.data())
def test_a_mistyped_field_is_refused(episode, data):
    fields = json.loads(to_line(episode))
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = {"list": []} if isinstance(fields[name], list) else [[]]
    with pytest.raises(DataError):
        from_line(json.dumps(fields))


HUGE = 10**400


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("score", math.nan, "episode field 'score' is nan, not a number from 0 to 1"),
        ("score", math.inf, "episode field 'score' is inf, not a number from 0 to 1"),
        ("score", 1.5, "episode field 'score' is 1.5, not a number from 0 to 1"),
        ("analysis", {"optimal_moves": HUGE}, r"'optimal_moves' is 10{36}\.\.\., not a finite number"),
        ("analysis", {"optimal_moves": [3]}, r"'optimal_moves' is \[3\], not a finite number"),
        ("max_steps", -1, "episode field 'max_steps' is -1, not a count from 0"),
        ("expert_length", HUGE, r"'expert_length' is 10{36}\.\.\., not a count from 0"),
        ("tasks", [[0, math.nan, False, None]], "a task is not a list of start, score"),
        ("tasks", [[0, -0.5, False, None]], "a task is not a list of start, score"),
        ("parts", [[-5, "t", 5, "", 10]], "a part is not a list of start, task"),
        ("spec", {"env_id": "AgentGen/Sokoban-v0"}, "spec field 'difficulty' is None, not a name"),
        ("spec", {**SPEC, "knobs": [1]}, r"spec field 'knobs' is \[1\], not an object"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_value_that_an_episode_cannot_have_is_refused(name, value, message):
    with pytest.raises(DataError, match=message):
        from_line(json.dumps({**json.loads(LINE), name: value}))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("reward", math.nan, "step field 'reward' is nan, not a finite number"),
        ("score", -math.inf, "step field 'score' is -inf, not a number from 0 to 1"),
        ("score", -0.1, "step field 'score' is -0.1, not a number from 0 to 1"),
        ("reward", HUGE, r"step field 'reward' is 10{36}\.\.\., not a finite number"),
        ("cost_usd", math.inf, "step field 'cost_usd' is inf, not a finite number"),
        ("completion_tokens", -1, "step field 'completion_tokens' is -1, not a count from 0"),
        ("prompt_tokens", HUGE, r"step field 'prompt_tokens' is 10{36}\.\.\., not a count from 0"),
        ("n_admissible", 2**53, "step field 'n_admissible' is 9007199254740992, not a count from 0"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_number_that_a_step_cannot_have_is_refused(name, value, message):
    fields = json.loads(LINE)
    fields["steps"][-1][name] = value
    with pytest.raises(DataError, match=message):
        from_line(json.dumps(fields))


@given(episodes, st.data())
def test_a_missing_field_is_refused(episode, data):
    fields = json.loads(to_line(episode))
    del fields[data.draw(st.sampled_from(sorted(name for name in fields if name not in OPTIONAL)))]
    with pytest.raises(DataError):
        from_line(json.dumps(fields))


@given(episodes, st.sampled_from(["error", "action_templates", "first_sections", "tasks"]))
def test_an_optional_field_that_is_missing_has_its_default(episode, name):
    fields = json.loads(to_line(episode))
    del fields[name]
    (default,) = (field.default for field in dataclasses.fields(Episode) if field.name == name)
    assert from_line(json.dumps(fields)) == dataclasses.replace(episode, **{name: default})


@given(episodes)
def test_a_newer_record_is_read_without_what_it_adds(episode):
    fields = json.loads(to_line(episode)) | {"mood": "calm", "schema_version": SCHEMA_VERSION + 1}
    fields["steps"] = [{**step, "heart_rate": 60} for step in fields["steps"]]
    assert from_line(json.dumps(fields)) == episode
    with pytest.raises(DataError, match=r"missing or unknown \['mood'\]"):
        from_line(json.dumps({**fields, "schema_version": SCHEMA_VERSION}))


def version_1(episode):
    """Return the line that version 1 wrote of an episode: its tasks are numbered keys of the analysis."""
    fields = {**json.loads(to_line(episode)), "schema_version": 1}
    tasks = fields.pop("tasks")
    if "lifecycle" in fields["spec"]:
        scores = {f"pack_score_{k}": task[1] for k, task in enumerate(tasks, 1)}
        fields["analysis"] = {**scores, **{f"pack_start_{k}": task[0] for k, task in enumerate(tasks, 1)}}
    return json.dumps(fields)


class Notetaker:
    """Plays at random; of the notes it is asked for it writes every other one."""

    name = "notetaker"

    def __init__(self):
        self.inner = scripted_policy("random", 0)

    def act(self, histories):
        notes = ("Note:  fraz is up ", "fraz")
        decisions = self.inner.act(histories)
        return [
            Decision(note, note) if history.admissible_commands == ("note:",) else decision
            for history, decision in zip(histories, decisions, strict=True)
            for note in [notes[history.step % 2]]
        ]

    def describe(self):
        return {"kind": "notetaker"}


@pytest.mark.parametrize("lifecycle", ["none", "pack-4", "pack-4-wiped", LifecycleSpec(2, "wiped")])
def test_a_record_of_version_1_reads_with_its_tasks(lifecycle):
    interface = "original" if lifecycle == "none" else "opaque"
    spec = TaskSpec("Sokoban", interface=interface, lifecycle=lifecycle)
    for episode in play([Job(spec, seed) for seed in range(4)], Notetaker()):
        assert len(episode.tasks) == (spec.lifecycle_spec.tasks if spec.lifecycle_spec else 1)
        assert from_line(version_1(episode)) == episode


def test_the_notes_of_a_pack_are_in_its_tasks():
    spec = TaskSpec("Sokoban", interface="opaque", lifecycle="pack-4")
    episodes = play([Job(spec, seed) for seed in range(4)], Notetaker())
    assert {task.note for episode in episodes for task in episode.tasks} == {"fraz is up", "", None}


@pytest.mark.parametrize(
    "task", [[0, 1.0, True], [0, 1.0, 1, None], ["0", 1.0, True, None], [True, 1.0, True, None], 7]
)
def test_a_task_that_is_none_is_refused(task):
    (episode,) = play([Job(TaskSpec("Sokoban"), 0)], scripted_policy("noop"))
    with pytest.raises(DataError, match="a task is not a list of start, score, success and note"):
        from_line(json.dumps({**json.loads(to_line(episode)), "tasks": [task]}))


@pytest.mark.parametrize("chars", [{"state": "x"}, {"state": None}, {"state": True}, {"state": 1.5}, {"state": -1}])
def test_characters_are_counts(chars):
    (episode,) = play([Job(TaskSpec("Sokoban"), 0)], scripted_policy("random"))
    data = json.loads(to_line(episode))
    with pytest.raises(DataError, match=r"episode field 'first_chars' is .*, not a number of characters"):
        from_line(json.dumps({**data, "first_chars": chars}))
    data["steps"][0]["observation_chars"] = chars
    with pytest.raises(DataError, match=r"step field 'observation_chars' is .*, not a number of characters"):
        from_line(json.dumps(data))


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_spec_that_no_key_can_be_made_of_is_refused(number):
    (episode,) = play([Job(TaskSpec("Sokoban"), 0)], scripted_policy("noop"))
    line = to_line(dataclasses.replace(episode, spec={**episode.spec, "knobs": {"size": 7.25}})).replace("7.25", number)
    with pytest.raises(DataError, match="the spec holds a number that none can be"):
        from_line(line)


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_text("{}\n{}\n")
    with pytest.raises(DataError, match=r"episodes.jsonl, line 1: not an episode: no schema version"):
        list(read_episodes(path))


@given(episodes)
def test_a_compact_episode_keeps_all_but_the_texts(episode):
    compact = episode.compact()
    assert compact.first_sections is None
    assert all(step.sections is None for step in compact.steps)
    assert [step.observation_hash for step in compact.steps] == [step.observation_hash for step in episode.steps]
