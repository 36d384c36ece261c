import errno
import shutil
from pathlib import Path

import pytest

from lstm_lm.io import file_errors


def line(action: object, *arguments: object) -> str | None:
    with pytest.raises(Exception) as error:
        action(*arguments)  # type: ignore[operator]
    return file_errors.line(error.value)


def test_a_missing_file_is_named_and_an_output_of_the_pipeline_says_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    created = " (an output of the pipeline; to create it, run: make repro)"
    assert line(Path("data/raw/source.json").read_text) == f"data/raw/source.json: No such file or directory{created}"
    assert line(Path("data/own/text.txt").read_text) == "data/own/text.txt: No such file or directory"  # the user's own


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_the_same_line_from_every_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    monkeypatch.chdir(tmp_path)
    full = f"No space left on device: free some disk space at {tmp_path} and run this again"

    def by_tensorflow() -> None:
        with tf.io.gfile.GFile("/dev/full", "w") as file:
            file.write("x" * 100_000)

    assert line(by_tensorflow) == full
    assert line(Path("/dev/full").write_text, "x") == full
    with pytest.raises(shutil.Error) as error:
        raise shutil.Error([("a", "b", f"[Errno {errno.ENOSPC}] No space left on device: 'a' -> 'b'")])
    assert file_errors.line(error.value) == full
    assert line(tf.io.gfile.GFile("/nonsense/file").read) == "/nonsense/file: No such file or directory"


def test_other_errors_stay_what_they_are() -> None:
    assert file_errors.line(ValueError("a; No space left on device")) is None
    assert file_errors.line(OSError("nonsense")) is None
