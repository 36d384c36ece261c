"""Where an unfinished training stands: a scratch folder of its own, so that the next run goes on from there.

`.training/KEY/` in the project's folder; KEY is a digest of everything that shapes the training, so that other parameters,
other data or other code never pick it up. It goes when the training has ended well and DVC has recorded that: if DVC is killed
in between, the next run goes on from the last checkpoint all the same.
"""

import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lstm_lm.io import atomic

MOST_SHARE = 0.01  # of the time: a checkpoint that takes long is taken less often


class Checkpoints:
    """The latest checkpoint of a training. It is written beside and renamed: there is always a whole one.

    Args:
        folder: of the Scratch.
        seconds: least time between two; a checkpoint that costs more than 1% of that is taken less often.
    """

    def __init__(self, folder, seconds):
        self.path = Path(folder) / "checkpoint.npz"
        self.seconds = seconds
        self.cost = 0.0  # seconds that the last one took
        self._last = time.monotonic()
        self._writer = ThreadPoolExecutor(1)
        self._writing = None

    def due(self):
        """Whether it is time for the next one."""
        waited = time.monotonic() - self._last
        return waited >= self.seconds and waited >= self.cost / MOST_SHARE and (self._writing is None or self._writing.done())

    def save(self, arrays, facts):
        """Keep a state, in the background.

        Args:
            arrays: {name: array}; they are not to be changed in place.
            facts: anything that JSON can hold.
        """
        self.wait()
        self._last = time.monotonic()
        self._writing = self._writer.submit(self._write, arrays, facts)

    def _write(self, arrays, facts):
        began = time.monotonic()
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        atomic.replace_file(self.path, lambda file: np.savez(file, **arrays, facts=text))
        self.cost = time.monotonic() - began

    def wait(self):
        """Until the last one is on the disk. One that cannot be written is said; it does not end a training."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                writing.result()
            except OSError as error:
                print(f"warning: no checkpoint could be written to {self.path.parent}: {error.strerror}", flush=True)

    def load(self):
        """(arrays, facts) of the latest checkpoint, or None if there is none that can be read."""
        try:
            with np.load(self.path) as saved:
                arrays = dict(saved)
            return arrays, json.loads(arrays.pop("facts").tobytes())
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            print(f"the checkpoint {self.path.name} cannot be read: the training starts from its beginning")
            return None

    def close(self):
        """Wait for the last one."""
        self.wait()
        self._writer.shutdown()
