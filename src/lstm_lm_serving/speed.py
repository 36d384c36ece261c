"""How fast the decode loop is on this machine: measured while the engine warms up, and followed while it runs."""

import time
from typing import Any

import numpy as np

from lstm_lm_serving import loops
from lstm_lm_serving.saved_model import SavedModel

FEW_STEPS, MANY_STEPS = 1, 9  # of the calls that are measured
LONG_HISTORY = 256  # words
PROMPT_WORDS = 32
READ_ROWS = 16
MEMORY = 0.95  # of the moving average: about 20 chunks
SLOWDOWNS = (0.3, 5.0)
FIRST_SLOWDOWN = 1.5  # until it is known: rather too slow, as measurements take the least of a few values


class Speed:
    """Seconds of one step by the number of rows, and of a call besides its steps.

    Attributes:
        step_seconds: {rows: seconds}, as measured while warming up.
        call_seconds: of a call besides its steps.
        read_seconds: of one word of a prompt.
        slowdown: how much slower the last chunks were; above 1 when the machine is busy with other things.
    """

    def __init__(self, step_seconds: dict[int, float], call_seconds: float, looking_back: float, read_seconds: float) -> None:
        """Take what was measured.

        Args:
            step_seconds, call_seconds, read_seconds: as above.
            looking_back: how many times slower a step is for rows that look back.
        """
        self.step_seconds = step_seconds
        self.call_seconds = call_seconds
        self.read_seconds = read_seconds
        self.slowdown = FIRST_SLOWDOWN
        self._chunks = 0
        self._looking_back = max(looking_back, 1.0)
        self._rows, self._seconds = map(list, zip(*sorted(step_seconds.items()), strict=True))

    def step(self, rows: int, looks_back: bool) -> float:
        """Return the seconds of one step of so many rows."""
        seconds = float(np.interp(rows, self._rows, self._seconds))
        return seconds * self.slowdown * (self._looking_back if looks_back else 1.0)

    def observe(self, rows: int, looks_back: bool, steps: int, seconds: float) -> None:
        """Follow how fast it is now: a call took so many seconds. What is assumed at the start counts as much as one call."""
        expected = steps * self.step(rows, looks_back) / self.slowdown + self.call_seconds
        lowest, highest = SLOWDOWNS
        self._chunks += 1
        weight = max(1 - MEMORY, 1 / (self._chunks + 1))
        self.slowdown += weight * (min(max(seconds / expected, lowest), highest) - self.slowdown)


def assumed() -> Speed:
    """Return the speed of a usual model on a usual machine."""
    return Speed({1: 0.0004, 8: 0.001, 64: 0.004}, 0.001, 2.0, 0.0001)


def measure(model: SavedModel, max_rows: int) -> Speed:
    """Warm the model up, and measure it."""
    word = model.vocabulary[1].encode()
    _read(model, word, 1)
    measured = {rows: _call_seconds(model, word, rows) for rows in sorted({1, min(8, max_rows), max_rows})}
    looking_back = _call_seconds(model, word, max_rows, repetition_penalty=1.2, no_repeat_ngram=3)
    start = time.perf_counter()
    _read(model, b" ".join([word] * PROMPT_WORDS), READ_ROWS)
    read_seconds = (time.perf_counter() - start) / (READ_ROWS * PROMPT_WORDS)
    steps = {rows: _slope(*seconds) for rows, seconds in measured.items()}
    call = min(max(few - FEW_STEPS * steps[rows], 0.0) for rows, (few, _) in measured.items())
    return Speed(steps, call, _slope(*looking_back) / steps[max_rows], read_seconds)


def _slope(few: float, many: float) -> float:
    """Return the seconds of a step from those of two calls. They may be noisy: a step is never faster than all but the call allows."""
    return max((many - few) / (MANY_STEPS - FEW_STEPS), many / MANY_STEPS / 4)


def _read(model: SavedModel, prompt: bytes, prompts: int) -> Any:
    return model.prefill([prompt] * prompts, [1] * prompts)


def _call_seconds(model: SavedModel, word: bytes, rows: int, **options: float) -> tuple[float, float]:
    """Return the seconds of a call with few steps and with many."""
    read = model.prefill([word], [rows])
    values = {**{row["name"]: row["default"] for row in model.table["options"]}, **options}
    vectors: dict[str, Any] = {name: np.full(rows, values[name], type) for name, type in model.word_options.items()}
    # The words of the history differ, as they do in texts.
    history = np.tile(np.arange(LONG_HISTORY if options else 0, dtype=np.int32) % len(model.vocabulary), [rows, 1])
    extras = {"bias_ids": np.zeros([rows, 0], np.int32), "bias_values": np.zeros([rows, 0], np.float32), "top": np.array(-1, np.int32)}
    arrays = {"last": read.last, "state": read.state, "keys": read.keys, "history": history, "position": np.zeros(rows, np.int32)}
    loop = loops.fastest(model.table, vectors)

    def seconds(steps: int) -> float:
        start = time.perf_counter()
        model.decode(loop, {**arrays, **vectors, **extras, "max_words": np.full(rows, steps, np.int32)})["words"].numpy()
        return time.perf_counter() - start

    seconds(FEW_STEPS)  # the first call of a kind takes longer
    return min(seconds(FEW_STEPS) for _ in range(3)), min(seconds(MANY_STEPS) for _ in range(3))
