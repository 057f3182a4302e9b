"""Hypothesis strategies for the package's types; they build only valid values."""

from hypothesis import strategies as st

from agentgen_bench.contract import Part, TaskRecord
from agentgen_bench.episodes import ENDINGS, Episode, Step
from agentgen_bench.families import BUILT_IN
from agentgen_bench.parsing import ACTION_FORMATS, ParseReason
from agentgen_bench.prompts import ACTION_HINTS, History, PromptConfig, Turn
from agentgen_bench.spec import DistractorSpec, InterfaceSpec, TaskSpec
from agentgen_bench.text import SOURCES, Richness, Section

texts = st.text(max_size=40)
encodable_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
finite = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 10**6)

sections = st.builds(Section, encodable_texts, st.sampled_from(Richness), st.sampled_from(SOURCES))
section_tuples = st.lists(sections, max_size=6).map(tuple)

commands = st.lists(encodable_texts, max_size=3).map(tuple)

knob_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)
knob_names = st.from_regex(r"knob_[a-z]{1,6}", fullmatch=True)
specs = st.builds(
    TaskSpec,
    family=st.sampled_from(list(BUILT_IN)),
    richness=st.sampled_from(Richness),
    difficulty=st.sampled_from(["easy", "medium", "hard"]),
    split=st.sampled_from(["train", "valid", "test"]),
    knobs=st.dictionaries(knob_names, knob_values, max_size=3).map(lambda knobs: tuple(knobs.items())),
    distractors=st.sampled_from(["none", "paper-v1"])
    | st.builds(DistractorSpec, volume=st.integers(0, 300), probability=st.floats(0, 1), seed=st.integers(0, 99)),
    interface=st.sampled_from(["original", "opaque"])
    | st.builds(InterfaceSpec, aliases=st.just("synonym"), seed=st.integers(0, 99)),
)

steps = st.builds(
    Step,
    action=st.none() | encodable_texts,
    completion=texts,
    parse_reason=st.none() | st.sampled_from([str(reason) for reason in ParseReason]),
    reward=finite,
    score=st.floats(0, 1),
    is_action_valid=st.booleans(),
    observation_hash=st.text("0123456789abcdef", min_size=32, max_size=32),
    observation_chars=st.dictionaries(st.sampled_from(SOURCES), counts),
    n_admissible=counts,
    prompt_chars=counts,
    prompt_tokens=counts,
    completion_tokens=counts,
    dropped_turns=counts,
    sections=st.none() | section_tuples,
    admissible_commands=st.none() | commands,
)
task_records = st.builds(TaskRecord, counts, st.floats(0, 1), st.booleans(), st.none() | encodable_texts)
parts = st.builds(Part, counts, encodable_texts, counts, encodable_texts, st.none() | counts)
episodes = st.builds(
    Episode,
    spec=specs.map(TaskSpec.to_json),
    seed=counts,
    repeat=st.integers(0, 9),
    policy=encodable_texts,
    level_id=encodable_texts,
    task=encodable_texts,
    max_steps=counts,
    first_hash=st.text("0123456789abcdef", min_size=32, max_size=32),
    first_chars=st.dictionaries(st.sampled_from(SOURCES), counts),
    first_admissible=counts,
    steps=st.lists(steps, max_size=4).map(tuple),
    ending=st.sampled_from(ENDINGS),
    success=st.booleans(),
    score=st.floats(0, 1),
    expert_length=st.none() | counts,
    analysis=st.dictionaries(st.text(max_size=5), st.none() | finite, max_size=2),
    tasks=st.lists(task_records, max_size=3).map(tuple),
    error=st.none() | texts,
    action_templates=commands,
    first_sections=st.none() | section_tuples,
    first_commands=st.none() | commands,
    parts=st.lists(parts, max_size=3).map(tuple),
)

prompt_configs = st.builds(
    PromptConfig,
    st.integers(0, 5),
    st.sampled_from(ACTION_HINTS),
    st.booleans(),
    st.sampled_from([name for name in ACTION_FORMATS if name != "choice"]),
)
turns = st.builds(Turn, encodable_texts, st.none() | encodable_texts)
histories = st.builds(
    History,
    key=st.just(("setting", 0, 0, 9)),
    family=st.sampled_from(list(BUILT_IN)),
    task=encodable_texts,
    step=st.just(9),
    max_steps=st.integers(9, 60),
    observation=encodable_texts,
    turns=st.lists(turns, max_size=8).map(tuple),
    admissible_commands=st.lists(encodable_texts, max_size=4).map(tuple),
    action_templates=st.lists(encodable_texts, min_size=1, max_size=4).map(tuple),
)
