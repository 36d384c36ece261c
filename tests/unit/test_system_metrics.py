"""MLflow's monitors over a real local store. Intervals are set by MLflow's own variables."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lstm_lm.config.schema import Tracking
from lstm_lm.tracking import sender, store, system_metrics
from lstm_lm.tracking.outbox import Outbox
from lstm_lm.tracking.training_run import TrainingRun
from mlflow_helpers import SETTINGS, UNKNOWN_RUN, latest_metrics, logged_steps, stored

CPU = "system/cpu_utilization_percentage"
Points = list[tuple[int, Mapping[str, float]]]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.02")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING", "1")


def collect(count: int, fails: bool = False) -> tuple[Points, Callable[[Mapping[str, float], int], None], threading.Event]:
    points: Points = []
    enough = threading.Event()

    def log(values: Mapping[str, float], step: int) -> None:
        points.append((step, values))
        if len(points) >= count:
            enough.set()
        if fails:
            raise OSError(28, "No space left on device")

    return points, log, enough


def test_points_are_handed_over_until_the_training_ends(tracked_project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    points, log, enough = collect(3)
    metrics = system_metrics.start(UNKNOWN_RUN, store.uri(SETTINGS.tracking), log, first_step=7)
    assert metrics is not None
    assert enough.wait(20)
    metrics.finish()
    count = len(points)
    assert [step for step, _ in points] == list(range(7, 7 + count))
    assert {CPU, "system/system_memory_usage_percentage", "system/disk_usage_percentage", "system/network_receive_megabytes"} <= set(
        points[0][1]
    )
    assert all(0 <= values["system/system_memory_usage_percentage"] <= 100 for _, values in points)
    assert not any(thread.name == "SystemMetricsMonitor" for thread in threading.enumerate())
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_and_a_broken_sensor_neither_end_it_nor_print(tracked_project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    points, log, enough = collect(3, fails=True)
    metrics = system_metrics.SystemMetrics(UNKNOWN_RUN, store.uri(SETTINGS.tracking), log, 0)
    metrics.monitors[1].collect_metrics = lambda: 1 / 0
    metrics.start()
    assert enough.wait(20)
    metrics.finish()
    assert CPU in points[0][1]
    assert not any("disk" in name for _, values in points for name in values)
    assert capfd.readouterr() == ("", "")


def test_a_short_training_has_a_point(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "1000")
    points, log, _ = collect(1)
    metrics = system_metrics.start(UNKNOWN_RUN, store.uri(SETTINGS.tracking), log)
    assert metrics is not None
    metrics.finish()
    assert [step for step, _ in points] == [0]


def test_a_machine_that_cannot_be_sampled_is_no_error(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    monkeypatch.setattr(psutil, "net_io_counters", lambda: None)  # as in a container without /proc/net/dev
    assert system_metrics.start(UNKNOWN_RUN, store.uri(SETTINGS.tracking), lambda *_: None) is None


@pytest.mark.parametrize(("seconds", "samples"), [(0, 1), (60, 1), (399, 1), (600, 3), (3600, 18), (100_000, 30)])
def test_points_become_rarer_in_a_long_training(seconds: float, samples: int) -> None:
    assert system_metrics.samples_of_a_point(seconds, 2.0) == samples


def train(run: TrainingRun, points: int, closes: bool = True) -> None:
    """Pretend to train until there are this many points in the outbox."""
    outbox, enough = Outbox(run._outbox.root, run.id), threading.Event()
    run.started(10, 1)
    for _ in range(1000):
        if sum(CPU in [point[0] for point in item.operation.get("points", [])] for item in outbox.pending()) >= points:
            break
        enough.wait(0.02)
    if closes:
        run.close()


def test_a_resumed_training_continues_the_curve_whatever_has_been_sent(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sender, "LAST_TRIES", 1)
    monkeypatch.setattr(sender, "SEND_SECONDS", 1000)
    client = store.connect(SETTINGS.tracking)
    first = TrainingRun.start(client, SETTINGS)
    train(first, 2)
    first.finish("KILLED")  # sends them
    second = TrainingRun.start(client, SETTINGS, resume=first.id)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "log_batch", fail)
        train(second, 2)
        second.finish("KILLED")  # its points stay in the outbox
    third = TrainingRun.start(client, SETTINGS, resume=first.id)
    train(third, 2)
    third.finish()
    steps = logged_steps(stored(third), CPU)
    assert len(steps) >= 6
    assert steps == list(range(len(steps)))


@pytest.mark.parametrize("end", ["close", "finish"])
def test_nothing_is_sampled_after_the_end_of_a_run(end: str, tracked_project: Path) -> None:
    """The trials of a search end one after the other in one process: what a thread left over measured would be sent by a later one."""
    run = TrainingRun.start_search(store.connect(SETTINGS.tracking), SETTINGS, "trial 0", parent=UNKNOWN_RUN)
    train(run, 2, closes=end == "close")
    run.finish()
    assert not any(thread.name == "SystemMetricsMonitor" for thread in threading.enumerate())
    run.log_metrics({CPU: 1.0}, 99)  # by a sensor that took longer than the end of the run waited
    assert list(sender.resend(SETTINGS.tracking, tracked_project)) == []
    steps = logged_steps(stored(run), CPU)
    assert steps == list(range(len(steps))) and len(steps) >= 2


def test_it_can_be_switched_off(tracked_project: Path) -> None:
    off: Tracking = SETTINGS.tracking.model_copy(update={"system_metrics": False})
    run = TrainingRun.start(store.connect(off), SETTINGS.model_copy(update={"tracking": off}))
    run.started(10, 1)
    run.close()
    run.finish()
    assert not latest_metrics(stored(run))
