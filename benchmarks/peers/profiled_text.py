"""Where the time of a generated word goes, by TensorFlow's profiler: long calls of the SavedModel's loops over words."""

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2  # TensorFlow has no public module for what its profiler writes

import protocol
from lstm_lm.io import memory
from lstm_lm_serving import loops
from lstm_lm_serving.saved_model import SavedModel
from ours_text import name_of, saved

REPEATS = 5
PRODUCTS, FUNCTIONS = {"MatMul", "_MklMatMul"}, {"Exp", "Sigmoid", "Tanh", "ArgMax", "Cumsum", "Sum", "UpperBound"}


class ProfiledCase:
    """One loop over words with some rows."""

    def __init__(self, model: SavedModel, case: protocol.Case, vocabulary: int) -> None:
        self.model, self.words, rows = model, case["words"], case["prompts"]
        prompts = [" ".join(map(name_of, protocol.prompt(vocabulary, row))).encode() for row in range(rows)]
        read = model.prefill(prompts, [1] * rows)
        values = {**{row["name"]: row["default"] for row in model.table["options"]}, "max_words": self.words, **case["options"]}
        values["temperature"] = case["temperature"]
        options = {name: np.full(rows, values[name], type) for name, type in model.word_options.items()}
        texts = {"last": read.last, "state": read.state, "keys": read.keys, "position": np.zeros(rows, np.int32)}
        self.inputs = {name: tf.constant(array) for name, array in {**texts, **options}.items()}
        self.loop = loops.fastest(model.table, options)
        self.run()

    def run(self) -> float:
        """Generate once, and return the seconds."""
        start = time.perf_counter()
        self.model.decode(self.loop, self.inputs)["words"].numpy()
        return time.perf_counter() - start

    def microseconds(self) -> Dict[str, float]:
        """Return the microseconds of a word of each row: all of it, its products, and its functions of all words."""
        whole = min(self.run() for _ in range(REPEATS))
        with tempfile.TemporaryDirectory() as folder:
            with tf.profiler.experimental.Profile(folder):
                self.run()
            seconds = seconds_by_operation(Path(folder))
        parts = {"products": PRODUCTS, "functions": FUNCTIONS}
        by_part = {part: sum(seconds[name] for name in names) for part, names in parts.items()}
        return {name: total / self.words * 1e6 for name, total in {"all": whole, **by_part}.items()}


def seconds_by_operation(folder: Path) -> "Counter[str]":
    """Add up what TensorFlow's profiler has written, by the kind of operation. It leaves out operations of less than a microsecond."""
    [path] = folder.glob("**/*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seconds: Counter[str] = Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events if "CPU" in plane.name):
            name = plane.event_metadata[event.metadata_id].name
            seconds[name.rpartition(":")[2]] += event.duration_ps * 1e-12
    return seconds


def main() -> None:
    """Serve profiles."""
    config = protocol.settings()
    memory.keep_freed()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    model = SavedModel(saved(config))
    cases = {f"{case['name']}: {case['prompts']}": ProfiledCase(model, case, config["vocabulary"]) for case in config["cases"]}

    def run(_: int) -> Dict[str, Any]:
        return {"cases": {name: case.microseconds() for name, case in cases.items()}}

    protocol.serve(run, version="TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()
