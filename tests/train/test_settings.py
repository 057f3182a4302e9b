import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.families import BUILT_IN
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train import grpo, sft
from agentgen_bench.train.choices import checked, options, sources
from agentgen_bench.train.init_model import environment_text
from agentgen_bench.train.optimizing import learning_rate
from agentgen_bench.train.presets import Preset, load_preset, preset_names
from agentgen_bench.train.settings import Source, field_docs, open_training, weighted
from agentgen_bench.train.trl_config import Engine

SMALLEST = {
    grpo.Config: {"model": "m", "output": "o", "sources": (Source(TaskSpec("Sokoban")),)},
    sft.Config: {"model": "m", "output": "o", "data": ("d",)},
    Engine: {},
}


@pytest.mark.parametrize("config", [grpo.Config, sft.Config], ids=["grpo", "sft"])
def test_every_setting_has_a_docstring(config):
    assert field_docs(config).keys() == set(config.__dataclass_fields__)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_names_settings_that_exist(name):
    preset = load_preset(name)
    assert preset.about
    mixed = {key: value for key, value in preset.sft.items() if key != "mix"}
    assert checked(grpo.Config, preset.grpo, name) == preset.grpo
    assert checked(sft.Config, mixed, name) == mixed
    environment = sources([("sokoban", 1)], {}, (), preset.environments)
    grpo.Config(**{**SMALLEST[grpo.Config], "sources": environment}, **preset.grpo)
    sft.Config(**SMALLEST[sft.Config], **mixed)
    assert set(preset.environments) <= set(BUILT_IN)


def test_no_preset_has_no_settings():
    assert load_preset(None) == Preset()


def test_the_preset_of_the_first_paper_has_its_numbers():
    preset = load_preset("paper-2601.18217")
    built = grpo.Config(model="m", output="o", sources=sources([("sokoban", 1)], {}), **preset.grpo)
    assert built.steps * built.levels_per_step * built.group_size == 150 * 128
    assert (built.learning_rate, built.kl_coef, built.clip_low, built.clip_high) == (1e-6, 0.01, 0.2, 0.2)
    assert (built.success_reward, built.invalid_penalty, built.save_every) == (10.0, 0.1, 15)


def test_a_preset_decides_what_the_command_line_leaves_open():
    preset = load_preset("paper-2601.18217").environments
    (source,) = sources([("sokoban", 2.0)], {"richness": "rich"}, [("sokoban.size", 7)], preset)
    assert (source.weight, source.spec.difficulty, dict(source.spec.knobs)) == (
        2.0,
        "paper",
        {"max_steps": 15, "size": 7},
    )
    assert source.spec.env_id == "AgentGen/Sokoban-rich-v0"


def test_a_knob_of_one_family_leaves_the_others_alone():
    first, second = sources([("sokoban", 1), ("AgentGen/Sokoban-lean-v0", 1)], {}, [("webshop.max_steps", 3)])
    assert first.spec.knobs == second.spec.knobs == ()


def test_a_knob_of_no_family_is_refused():
    with pytest.raises(SpecError, match=r"'sokobann\.size' is for no family that there is; choose one of: sokoban"):
        sources([("sokoban", 1.0)], {}, [("sokobann.size", 7)])


def test_a_knob_that_the_family_lacks_is_refused_before_anything_runs():
    with pytest.raises(SpecError, match="Sokoban has no knob 'sizes'"):
        sources([("sokoban", 1)], {}, [("sizes", 7)])


@pytest.mark.parametrize("text", ["", "sokoban=0", "sokoban=-1", "sokoban=x", "=2", "sokoban=inf"])
def test_a_list_with_a_wrong_weight_is_refused(text):
    with pytest.raises(SpecError, match=r"weight above 0|list of environments is empty"):
        weighted(text)


@given(st.lists(st.tuples(st.sampled_from(["sokoban", "webshop"]), st.floats(0.001, 1e6)), min_size=1))
def test_weights_survive_being_written(pairs):
    assert weighted(",".join(f"{name}={weight!r}" for name, weight in pairs)) == pairs


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step": 3}, "unknown setting 'step'; settings are: model, output, steps"),
        ({"steps": 2.5}, "steps is 2.5; it takes int"),
        ({"steps": True}, "steps is True; it takes int"),
        ({"kl_coef": "1e-3"}, "kl_coef is '1e-3'; it takes float; YAML reads 1e-3 as text, write 1.0e-3"),
        ({"loss_mean": "token"}, "loss_mean is 'token'; it takes tokens or samples"),
    ],
)
def test_a_wrong_setting_in_a_file_is_refused(values, message):
    with pytest.raises(SpecError, match=message):
        checked(grpo.Config, values, "file")


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
@pytest.mark.parametrize(
    ("config", "name"),
    [
        (config, option.name)
        for config in SMALLEST
        for option in options(config)
        if option.type in (int, float) and option.name != "seed"
    ],
)
def test_no_setting_is_negative_endless_or_no_number(config, name, value):
    with pytest.raises(SpecError, match=f"{name}={value!r} is out of range; choose "):
        config(**SMALLEST[config], **{name: value})


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_weight_is_a_finite_number_above_0_in_sources_and_mixes(weight):
    own = SMALLEST[grpo.Config]
    with pytest.raises(SpecError, match=f"the weight of Sokoban-base easy train is {weight!r}; choose a finite"):
        grpo.Config(**{**own, "sources": (Source(TaskSpec("Sokoban"), weight),)})
    with pytest.raises(SpecError, match=f"the weight of webshop in the mix is {weight!r}; choose a finite number abo"):
        sft.Config(**SMALLEST[sft.Config], mix=(("sokoban", 1.0), ("webshop", weight)))


def test_a_mix_names_an_environment_once():
    with pytest.raises(SpecError, match="the mix names 'sokoban' twice; give each environment one weight"):
        sft.Config(**SMALLEST[sft.Config], mix=(("sokoban", 1.0), ("webshop", 1.0), ("sokoban", 3.0)))


def test_the_test_split_is_refused_wherever_training_is_set_up():
    message = "uses Sokoban-base easy test, levels of the test split; choose split train or valid"
    with pytest.raises(SpecError, match=message):
        sources([("sokoban", 1.0)], {"split": "test"})
    test = TaskSpec("Sokoban", split="test")
    with pytest.raises(SpecError, match=message):
        grpo.Config(model="m", output="o", sources=(Source(TaskSpec("Sokoban")), Source(test)))
    with pytest.raises(SpecError, match=message):
        environment_text([test])
    with pytest.raises(SpecError, match="levels of the ood_types split; choose split train or valid"):
        sources([("webshop", 1.0)], {"split": "ood_types"})


def test_a_whole_number_passes_for_a_float_and_none_where_there_may_be_none():
    values = checked(grpo.Config, {"kl_coef": 1, "importance_cap": None}, "file")
    assert values == {"kl_coef": 1.0, "importance_cap": None}


def test_collections_are_no_options():
    assert "sources" not in [option.name for option in options(grpo.Config)]
    assert {"data", "mix"}.isdisjoint(option.name for option in options(sft.Config))


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate(step, 12, 1.0, 2, "cosine") for step in range(1, 13)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[7] == pytest.approx(0.5)  # half of the ten steps after the warm-up are over
    assert rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
    assert learning_rate(7, 12, 1.0, 2, "linear") == pytest.approx(0.6)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_settings_that_are_damaged_are_named(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(RunError, match=r"settings.json.*choose another --output"):
        open_training(tmp_path, {"seed": 0}, True, ())


def failed_training(run, settings, *, written=()):
    """A training that a wrong setting ends after it has written these files."""
    with open_training(run, settings, False, ()):
        for name in written:
            (run / name).touch()
        raise DataError("there is no such environment in the demonstrations")


def test_a_setting_that_is_wrong_before_anything_is_written_can_be_put_right(tmp_path):
    for mix in ("wrong", "wrong too"):
        with pytest.raises(DataError):
            failed_training(tmp_path, {"mix": mix})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError):
        failed_training(tmp_path, {"mix": "right"}, written=["log.jsonl"])
    with pytest.raises(RunError, match="already holds a training run"):
        open_training(tmp_path, {"mix": "other"}, False, ())


def test_the_settings_of_a_run_that_goes_on_stay(tmp_path):
    with open_training(tmp_path, {"seed": 0}, False, ()):
        pass
    with pytest.raises(DataError), open_training(tmp_path, {"seed": 0}, True, ()):
        raise DataError("the demonstrations are gone")
    assert (tmp_path / "settings.json").exists()


def test_a_training_folder_has_one_training_at_a_time(tmp_path):
    run = tmp_path / "run"
    with open_training(run, {"seed": 0}, False, ()):
        with pytest.raises(RunError, match="another process is writing to"):
            open_training(run, {"seed": 0}, True, ())
        assert [path.name for path in run.iterdir()] == ["settings.json"]
    with pytest.raises(RunError, match="cannot resume with other settings"):
        open_training(run, {"seed": 1}, True, ())
    with open_training(run, {"seed": 0}, True, ()):  # the refused one holds nothing
        pass
