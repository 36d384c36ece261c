"""The load of the machine during a training, as MLflow's tab "System metrics" shows it.

MLflow's own monitor asks the store before each sample, and ends for good when the store fails. This one only hands its samples over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

SAMPLE_SECONDS = 2.0  # between two samples
POINTS = 100  # of a curve, roughly, whatever the length of the training
MAX_POINT_SECONDS = 60.0  # between two points
JOIN_SECONDS = 5.0  # how long the end of a training waits for a sample


class SystemMetrics(SystemMetricsMonitor):  # type: ignore[misc]
    """A thread that samples the load of CPU, memory, disk, network and GPUs. MLflow's library reads them.

    Each point is the mean of the samples since the point before it. Points are `SAMPLE_SECONDS` apart at first and rarer in a long
    training. MLflow's variables MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL and MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING set both fixed.

    Args:
        run_id: of the run.
        address: of the tracking store.
        log: gets the metrics of a point, {name: value}, and its step.
        first_step: of the first point. A resumed training continues the steps of its earlier part.
    """

    def __init__(self, run_id: str, address: str, log: Callable[[Mapping[str, float], int], None], first_step: int) -> None:
        super().__init__(run_id, SAMPLE_SECONDS, samples_before_logging=0, tracking_uri=address)
        self._step = first_step
        self._log = log

    def monitor(self) -> None:
        """Sample until `finish`."""
        start = time.monotonic()
        self._sample()  # the load of the CPU is that since the sample before: this one has none
        self._clear()
        samples = 0
        while not self._shutdown_event.wait(self.sampling_interval):
            samples += self._sample()
            if samples >= (self.samples_before_logging or samples_of_a_point(time.monotonic() - start, self.sampling_interval)):
                self._publish()
                samples = 0
        if samples or self._sample():
            self._publish()

    def finish(self) -> None:
        """End the thread. The last point has been handed over then."""
        self._shutdown_event.set()
        if self._process is not None:
            self._process.join(JOIN_SECONDS)

    def _sample(self) -> bool:
        """Read everything once. What cannot be read, as in some containers, is left out."""
        is_read = False
        for monitor in self.monitors:
            try:
                monitor.collect_metrics()
                is_read = True
            except Exception:  # neither a driver nor /proc may disturb a training
                continue
        return is_read

    def _publish(self) -> None:
        prefix = f"{self._metrics_prefix}{self.node_id}/" if self.node_id else self._metrics_prefix
        try:
            self._log({prefix + name: value for name, value in self.aggregate_metrics().items()}, self._step)
            self._step += 1
        except Exception:  # such as a full disk
            pass
        self._clear()

    def _clear(self) -> None:
        for monitor in self.monitors:
            monitor.clear_metrics()


def samples_of_a_point(seconds: float, interval: float) -> int:
    """Return how many samples make a point when a training has run this long, at an interval in seconds."""
    return max(1, int(min(seconds / POINTS, MAX_POINT_SECONDS) / interval))


def start(run_id: str, address: str, log: Callable[[Mapping[str, float], int], None], first_step: int = 0) -> SystemMetrics | None:
    """Start to sample. Returns None where that is impossible: no training ends because of it. See `SystemMetrics`."""
    logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
    try:
        metrics = SystemMetrics(run_id, address, log, first_step)
        metrics.start()
    except Exception:
        return None
    return metrics
