import os
import sys

import pytest

from lstm_lm.io import quiet


def test_output_below_python_is_held_back_and_shown_only_on_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet.tensorflow_import():
        os.write(2, b"noise\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
    with pytest.raises(ImportError), quiet.tensorflow_import():
        os.write(2, b"why it failed\n")
        raise ImportError
    assert capfd.readouterr().err == "why it failed\n"
