"""Where a training run's numbers go: the log, TensorBoard, Weights & Biases."""

import json
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import MissingDependencyError, RunError, SpecError
from agentgen_bench.train import sft
from agentgen_bench.train.choices import checked
from agentgen_bench.train.logs import Logs, read_log
from tests.full_disk import files_of_at_most

needs_tensorboard = pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard")
needs_wandb = pytest.mark.skipif(find_spec("wandb") is None, reason="needs wandb")


def write(run, steps, last_step=0, tracker=None):
    run.mkdir(exist_ok=True)
    logs = Logs(run, last_step, tracker, ("loss",), 10)
    for step in steps:
        logs.write(step, {"loss": 1.0 / step, "tokens/per_s": 100.0})
    logs.close()


def test_the_log_is_a_line_of_json_per_step(tmp_path):
    write(tmp_path, (1, 2))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "loss": 1.0, "tokens/per_s": 100.0}, {"step": 2, "loss": 0.5, "tokens/per_s": 100.0}]


def test_a_resumed_run_writes_the_lines_after_its_checkpoint_anew(tmp_path):
    write(tmp_path, (1, 2, 3))
    write(tmp_path, (2, 3, 4), last_step=1)
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2, 3, 4]


def test_a_torn_last_line_is_left_out(tmp_path):
    write(tmp_path, (1, 2))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_stops_the_run_with_advice(tmp_path):
    logs = Logs(tmp_path, 0, None, (), 1)
    logs._file = open("/dev/full", "a")  # noqa: SIM115
    with pytest.raises(RunError, match="cannot write /dev/full: No space left on device; free some space, --resume"):
        logs.write(1, {"loss": 1.0})
    logs.close()  # which says nothing else: a training closes its log on the way out of that error


@pytest.mark.skipif(sys.platform != "linux", reason="needs files of bounded size")
def test_a_disk_that_is_full_when_a_run_goes_on_leaves_its_log_as_it_was(tmp_path):
    write(tmp_path, range(1, 100))
    before = (tmp_path / "log.jsonl").read_bytes()
    with files_of_at_most(1000), pytest.raises(RunError, match=r"cannot write .*log.jsonl: "):
        Logs(tmp_path, 99, None, (), 100)
    assert (tmp_path / "log.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


@needs_tensorboard
def test_tensorboard_gets_an_event_file_with_the_same_numbers(tiny_model, counting_data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    sft.train(
        sft.Config(model=tiny_model, output=str(run), data=(counting_data,), steps=2, batch=4, tracker="tensorboard")
    )
    events = EventAccumulator(str(run)).Reload()
    for name in ("loss", "gradient_norm", "tokens/per_s"):
        seen = [(event.step, event.value) for event in events.Scalars(name)]
        assert seen == [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in read_log(run)]


@needs_tensorboard
def test_tensorboard_hides_the_steps_that_a_resumed_run_does_again(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, (1, 2, 3), tracker="tensorboard")
    write(tmp_path, (2, 3), last_step=1, tracker="tensorboard")
    assert [event.step for event in EventAccumulator(str(tmp_path)).Reload().Scalars("loss")] == [1, 2, 3]


class Session:
    def __init__(self, options):
        self.options, self.logged, self.finished = options, [], False

    def log(self, numbers, step):
        self.logged.append((step, numbers))

    def finish(self):
        self.finished = True


@pytest.fixture
def sessions(monkeypatch):
    """Weights & Biases, as far as the trainer knows it: init, log, finish."""
    opened = []
    module = ModuleType("wandb")
    module.init = lambda **options: opened.append(Session(options)) or opened[-1]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return opened


def test_weights_and_biases_gets_the_same_numbers_and_is_closed(sessions, tmp_path):
    write(tmp_path / "run", (1, 2), tracker="wandb")
    (session,) = sessions
    assert session.logged == [(1, {"loss": 1.0, "tokens/per_s": 100.0}), (2, {"loss": 0.5, "tokens/per_s": 100.0})]
    assert session.finished
    assert (session.options["project"], session.options["name"], session.options["resume"]) == (
        "agentgen-bench",
        "run",
        "allow",
    )


def test_a_resumed_run_goes_on_in_its_own_session_and_no_other(sessions, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "seed-0", (1,), tracker="wandb")
    write(tmp_path / "a" / "seed-0", (2,), last_step=1, tracker="wandb")
    first, other, resumed = (session.options["id"] for session in sessions)
    assert first == resumed != other


@needs_wandb
def test_the_real_weights_and_biases_writes_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    write(tmp_path, (1, 2), tracker="wandb")
    (record,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert record.stat().st_size > 0


@pytest.mark.parametrize(("tracker", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")])
def test_a_tracker_that_is_not_installed_says_how_to_install_it(tmp_path, monkeypatch, tracker, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=f"--tracker {tracker} needs {tracker}: pip install {tracker}"):
        write(tmp_path, (1,), tracker=tracker)


def test_an_unknown_tracker_is_refused_before_anything_is_loaded(capsys):
    with pytest.raises(SpecError, match="tracker is 'mlflow'; it takes tensorboard or wandb"):
        checked(sft.Config, {"tracker": "mlflow"}, "file")
    with pytest.raises(SystemExit):
        main(["train", "sft", "--model", "m", "--data", "d", "--output", "o", "--tracker", "mlflow"])
    assert "--tracker" in capsys.readouterr().err
