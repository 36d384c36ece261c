"""TensorBoard's event files of a training: curves, generated texts, and the two graphs. Needs the package tensorboard."""

import bisect
import glob
import operator
import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from lstm_lm import paths
from lstm_lm.errors import UserError
from lstm_lm.events import ROW_METRICS, Observer, Row, Sample
from lstm_lm.io import extras
from lstm_lm.ui.report.note import escaped

FOLDER = "tensorboard_logs"  # not tensorboard: Python could take a folder of that name for the package
PATTERN = "events.out.tfevents.*"  # names of event files
FLUSH_SECONDS = 5
GRAPH_PLUGIN = "graph_run_metadata_graph"  # draws a graph under a tag: a run has several
EXTRA = "tensorboard"  # of pyproject.toml, with the package
Graphs = Mapping[str, Any]


def check_installed(needed_by: str) -> None:
    """Check that TensorBoard can be used.

    Args:
        needed_by: what needs it, for the message.

    Raises:
        UserError: the package is not installed.
    """
    try:
        from tensorboard.summary.writer import event_file_writer  # noqa: F401
    except ImportError:
        raise UserError(f"{needed_by} needs the package tensorboard, which is not installed: run {extras.install_command(EXTRA)}") from None


def run_folder(name: str, run_id: str) -> Path:
    """Return the folder for the event files of a run, in the project's own folder: TensorBoard shows its name.

    A training that resumes keeps the folder it has, even if its run would have another name by now.

    Args:
        name: of the run.
        run_id: its id, because several runs may have a name.
    """
    readable = re.sub(r"[^\w.=+-]+", "_", name).strip("_")
    folder = paths.project_root() / FOLDER
    new = folder / f"{readable}-{run_id[:8]}"
    return min(folder.glob(f"*-{glob.escape(run_id[:8])}"), default=new, key=lambda path: (path != new, path))


class EventFiles(Observer):
    """Writes event files while the training runs.

    A training that resumes writes all its points again, in place of the files of the process before: that one may have gone further than
    its last checkpoint, or been killed before its last points were on the disk.

    Args:
        folder: of this run alone.

    Attributes:
        graphs: returns the concrete functions whose graphs are shown, by their names. It is called when the first step has been taken,
            because before that nothing is traced.
    """

    def __init__(self, folder: Path) -> None:
        self.graphs: Callable[[], Graphs] = dict
        self._folder = folder
        self._sampled_step = 0
        self._writer: Any = None

    def started(self, total_steps: int, epochs: int) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        earlier = list(self._folder.glob(PATTERN))
        self._writer = EventFileWriter(str(self._folder), flush_secs=FLUSH_SECONDS)
        # A TensorBoard that is open drops what it has read of the earlier files.
        self._add(0, time.time(), session_log=SessionLog(status=SessionLog.START))
        for file in earlier:
            file.unlink(missing_ok=True)

    def resumed(self, step: int, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        now = time.time()
        times = row_times(rows, now)
        for row, moment in zip(rows, times, strict=True):
            self._add_row(row, moment)
        steps = [row.step for row in rows]
        for sample in samples:
            following = bisect.bisect_left(steps, sample.step)
            self._add_sample(sample, [*times, now][following])

    def warm(self, seconds: float, step: int) -> None:
        for name, function in self.graphs().items():
            self._add(0, time.time(), summary=graph_summary(name, function.graph.as_graph_def()))

    def row(self, row: Row) -> None:
        self._add_row(row, time.time())

    def samples(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            self._add_sample(sample, time.time())

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _add_row(self, row: Row, moment: float) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        for name, attribute in ROW_METRICS.items():
            if (value := getattr(row, attribute)) is not None:
                self._add(row.step, moment, summary=scalar_pb(name, value))

    def _add_sample(self, sample: Sample, moment: float) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        # The best weights may be older than the last samples, and TensorBoard drops what it has of later steps under the same tag.
        group = "samples" if sample.step >= self._sampled_step else "samples of the best weights"
        self._sampled_step = max(sample.step, self._sampled_step)
        how = "greedy" if sample.temperature == 0 else f"temperature {sample.temperature:g}"
        self._add(sample.step, moment, summary=text_pb(f"{group}/{sample.prompt} ({how})", escaped(sample.text).replace("\n", "  \n")))

    def _add(self, step: int, moment: float, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(step=step, wall_time=moment, **content))


def row_times(rows: Sequence[Row], now: float) -> list[float]:
    """Return when the rows of an interrupted training would have come, had it run without a pause until now.

    Args:
        rows: in order.
        now: the time of the last row, in seconds since 1970.
    """
    seconds = ((row.words_seen - before.words_seen) / row.words_per_second for before, row in reversed([*pairwise(rows)]))
    return [*accumulate(seconds, operator.sub, initial=now)][::-1] if rows else []


def graph_summary(name: str, graph: Any) -> Any:
    """Return the summary of a graph, as `tf.summary.trace_export` writes it.

    Args:
        name: shown in the list of graphs.
        graph: GraphDef.
    """
    from tensorboard.compat.proto.config_pb2 import RunMetadata
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.util.tensor_util import make_tensor_proto

    metadata = RunMetadata()
    metadata.function_graphs.add().pre_optimization_graph.ParseFromString(graph.SerializeToString())
    plugin = SummaryMetadata.PluginData(plugin_name=GRAPH_PLUGIN, content=b"1")  # the version of the format
    tensor = make_tensor_proto(metadata.SerializeToString())
    return Summary(value=[Summary.Value(tag=name, metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)])
