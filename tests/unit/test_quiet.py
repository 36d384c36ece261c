import os
import sys

import pytest

from lstm_lm.io import quiet


def test_output_of_native_libraries_is_shown_only_on_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet.tensorflow_import():
        os.write(2, b"a log line\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
    with pytest.raises(ImportError), quiet.tensorflow_import():
        os.write(2, b"why it failed\n")
        raise ImportError
    assert capfd.readouterr().err == "why it failed\n"
