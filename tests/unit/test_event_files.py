"""TensorBoard's event files, read by TensorBoard's own reader."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lstm_lm.errors import UserError
from lstm_lm.events import ROW_METRICS, Row, Sample
from lstm_lm.io.extras import install_command
from lstm_lm.ui import event_files
from lstm_lm.ui.event_files import EventFiles
from training_events import LAST_ROW, ROW

slow = pytest.mark.slow  # the writer imports TensorFlow


def rows(*steps: int) -> list[Row]:
    return [replace(ROW, step=step, words_seen=100 * step, loss=1 / step) for step in steps]


def read(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def texts(folder: Path) -> dict[str, list[tuple[int, str]]]:
    found, metadata = read(folder), read(folder).PluginTagToContent("text")
    return {tag: [(event.step, event.tensor_proto.string_val[0].decode()) for event in found.Tensors(tag)] for tag in metadata}


def points(folder: Path, tag: str) -> list[tuple[int, float]]:
    from tensorboard.util.tensor_util import make_ndarray

    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in read(folder).Tensors(tag)]


@slow
def test_all_numbers_of_the_history_and_the_samples_are_written(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    files.started(100, 1)
    files.row(ROW)
    files.row(LAST_ROW)
    files.samples([Sample(100, "to be", 0.0, "to be <unk> *so*\nto say"), Sample(100, "to be", 0.8, "to be the king")])
    files.close()
    for tag, attribute in ROW_METRICS.items():
        values = [(row.step, getattr(row, attribute)) for row in (ROW, LAST_ROW) if getattr(row, attribute) is not None]
        assert points(tmp_path, tag) == [(step, pytest.approx(value)) for step, value in values]
    # As Markdown that shows the text as it is.
    assert texts(tmp_path) == {
        "samples/to be (greedy)": [(100, r"to be &lt;unk\> \*so\*" + "  \nto say")],
        "samples/to be (temperature 0.8)": [(100, "to be the king")],
    }


@slow
def test_a_resumed_training_has_each_point_once(tmp_path: Path) -> None:
    killed = EventFiles(tmp_path)
    killed.started(400, 1)
    for row in rows(50, 100, 150, 200):
        killed.row(row)
    killed.samples([Sample(200, "a", 0.0, "too far")])
    killed._writer.flush()
    resumed = EventFiles(tmp_path)
    resumed.started(400, 1)
    resumed.resumed(100, rows(50, 100), [Sample(100, "a", 0.0, "kept")])
    for row in rows(150, 200, 250):
        resumed.row(row)
    resumed.close()
    killed.close()
    assert len(list(tmp_path.glob(event_files.PATTERN))) == 1
    assert points(tmp_path, "train/loss") == [(step, pytest.approx(1 / step)) for step in (50, 100, 150, 200, 250)]
    assert texts(tmp_path) == {"samples/a (greedy)": [(100, "kept")]}


@slow
def test_samples_of_older_weights_do_not_displace_later_ones(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    files.started(200, 1)
    for step in (100, 200, 119):
        files.samples([Sample(step, "a", 0.0, f"text {step}")])
    files.close()
    assert texts(tmp_path) == {
        "samples/a (greedy)": [(100, "text 100"), (200, "text 200")],
        "samples of the best weights/a (greedy)": [(119, "text 119")],
    }


@slow
def test_graphs_are_written_after_the_first_step(tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorboard.compat.proto.config_pb2 import RunMetadata

    square = tf.function(lambda x: tf.square(x, name="squared")).get_concrete_function(tf.TensorSpec([2]))
    files = EventFiles(tmp_path)
    files.graphs = lambda: {"a graph": square}
    files.started(100, 1)
    files.warm(1.0, 1)
    files.close()
    (event,) = read(tmp_path).Tensors("a graph")
    metadata = RunMetadata.FromString(event.tensor_proto.string_val[0])
    nodes = {node.name: node.op for node in metadata.function_graphs[0].pre_optimization_graph.node}
    assert nodes == {node.name: node.op for node in square.graph.as_graph_def().node}
    assert nodes["squared"] == "Square"


def test_a_training_that_never_starts_leaves_the_files_of_the_process_before(tmp_path: Path) -> None:
    file = tmp_path / "events.out.tfevents.1.host.2.0"
    file.touch()
    EventFiles(tmp_path).close()
    assert file.exists()


def test_rows_of_an_interrupted_training_have_the_times_of_an_uninterrupted_one() -> None:
    speeds = (100.0, 50.0, 200.0)
    found = event_files.row_times([replace(row, words_per_second=speed) for row, speed in zip(rows(1, 2, 4), speeds, strict=True)], 1000.0)
    assert found == [1000.0 - 200 / 200 - 100 / 50, 1000.0 - 200 / 200, 1000.0]
    assert event_files.row_times([], 1000.0) == []


def test_each_run_has_a_folder_that_tensorboard_shows_as_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))  # an experiment runs in another folder, which DVC removes
    folder = event_files.run_folder("lr=0.002 wd=1/3 (cookbook, ../é)", "0123456789abcdef")
    assert folder == tmp_path / "tensorboard_logs/lr=0.002_wd=1_3_cookbook_.._é-01234567"


def test_a_run_keeps_its_folder_under_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    first = event_files.run_folder("before", "0123456789abcdef")
    first.mkdir(parents=True)
    assert event_files.run_folder("after", "0123456789abcdef") == first
    assert event_files.run_folder("after", "89abcdef01234567").name == "after-89abcdef"
    (first.parent / "after-01234567").mkdir()  # which an earlier version made
    assert event_files.run_folder("after", "0123456789abcdef").name == "after-01234567"


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    event_files.check_installed("this command")
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer", None)
    with pytest.raises(UserError) as error:
        event_files.check_installed("reporting.tensorboard: true in params.yaml")
    assert str(error.value) == (
        "reporting.tensorboard: true in params.yaml needs the package tensorboard, which is not installed: "
        f"run {install_command('tensorboard')}"
    )
