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


def test_memory_of_a_gpu_is_taken_as_it_is_needed_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    with quiet.tensorflow_import():
        assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")
    with quiet.tensorflow_import():
        assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "false"
