"""Silence below Python: what C++ libraries print to stderr while they are imported."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def tensorflow_import() -> Iterator[None]:
    """Hold back what TensorFlow's C++ code prints while it is imported, and show it only if the block fails.

    `TF_CPP_MIN_LOG_LEVEL` alone does not silence the lines printed before TensorFlow's log is initialised, so the file
    descriptor itself is redirected for the duration of the block.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # otherwise the first process takes a GPU's whole memory
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # Keras is not used here, and importing it takes half as long again
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
