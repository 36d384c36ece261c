"""How fast the decode loop is on this machine: measured while the engine warms up, and followed while it runs."""

import time
from typing import Any

import numpy as np

from lstm_lm_serving.saved_model import SavedModel

WARM_UP_STEPS = 8
LONG_HISTORY = 256  # words
PROMPT_WORDS = 32
READ_ROWS = 16
MEMORY = 0.9  # of the moving average: about ten chunks


class Speed:
    """Seconds of one step by the number of rows.

    Attributes:
        step_seconds: {rows: seconds}, as measured while warming up.
        read_seconds: of one word of a prompt.
        slowdown: how much slower the last chunks were; above 1 when the machine is busy with other things.
    """

    def __init__(self, step_seconds: dict[int, float], looking_back: float, read_seconds: float) -> None:
        """Take what was measured.

        Args:
            step_seconds: {rows: seconds}.
            looking_back: how many times slower a step is for rows that look back.
            read_seconds: as above.
        """
        self.step_seconds = step_seconds
        self.read_seconds = read_seconds
        self.slowdown = 1.0
        self._looking_back = max(looking_back, 1.0)
        self._rows, self._seconds = map(list, zip(*sorted(step_seconds.items()), strict=True))

    def step(self, rows: int, looks_back: bool) -> float:
        """Return the seconds of one step of so many rows."""
        seconds = float(np.interp(rows, self._rows, self._seconds))
        return seconds * self.slowdown * (self._looking_back if looks_back else 1.0)

    def observe(self, rows: int, looks_back: bool, steps: int, seconds: float) -> None:
        """Follow how fast it is now."""
        ratio = seconds / (steps * self.step(rows, looks_back) / self.slowdown)
        self.slowdown = min(max(MEMORY * self.slowdown + (1 - MEMORY) * ratio, 0.1), 10.0)


def measure(model: SavedModel, max_rows: int) -> Speed:
    """Warm the model up, and measure it."""
    word = model.vocabulary[1].encode()
    rows_measured = sorted({1, min(8, max_rows), max_rows})
    _read(model, word, 1)
    step_seconds = {rows: _step_seconds(model, word, rows) for rows in rows_measured}
    looking_back = _step_seconds(model, word, max_rows, repetition_penalty=1.2, no_repeat_ngram=3)
    start = time.perf_counter()
    _read(model, b" ".join([word] * PROMPT_WORDS), READ_ROWS)
    read_seconds = (time.perf_counter() - start) / (READ_ROWS * PROMPT_WORDS)
    return Speed(step_seconds, looking_back / step_seconds[max_rows], read_seconds)


def _read(model: SavedModel, prompt: bytes, prompts: int) -> Any:
    return model.prefill([prompt] * prompts, [1] * prompts)


def _step_seconds(model: SavedModel, word: bytes, rows: int, **options: float) -> float:
    read = model.prefill([word], [rows])
    defaults = {row["name"]: row["default"] for row in model.table["options"]}
    values = {**defaults, "max_words": WARM_UP_STEPS, **options}
    vectors: dict[str, Any] = {name: np.full(rows, values[name], type) for name, type in model.word_options.items()}
    extras = {"bias_ids": np.zeros([rows, 0], np.int32), "bias_values": np.zeros([rows, 0], np.float32), "top": np.array(-1, np.int32)}
    # The words of the history differ, as they do in texts.
    history = (
        np.tile(np.arange(LONG_HISTORY, dtype=np.int32) % len(model.vocabulary), [rows, 1]) if options else np.zeros([rows, 0], np.int32)
    )
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        model.decode(read.last, read.state, read.keys, history, np.zeros(rows, np.int32), vectors, extras)["words"].numpy()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:]) / WARM_UP_STEPS
