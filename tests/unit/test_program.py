import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import PROJECT, run
from lstm_lm.errors import Interrupted, UserError
from lstm_lm.ui import program


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """End programs with SystemExit, because `os._exit` would end pytest itself."""
    monkeypatch.setattr(program.os, "_exit", sys.exit)


def exit_code(main: Callable[[], object]) -> object:
    with pytest.raises(SystemExit) as ended:
        program.run(main)
    return ended.value.code


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def test_a_user_error_is_one_line_and_exit_code_1(capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code(raising(UserError("params.yaml: x = 0: must be >= 1"))) == 1
    assert capfd.readouterr().err == "error: params.yaml: x = 0: must be >= 1\n"


def test_a_missing_file_is_a_one_line_error(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(Path("data/batches/batches.json").read_text) == 1
    assert (
        capfd.readouterr().err
        == "error: data/batches/batches.json: No such file or directory (an output of the pipeline; to create it, run: dvc repro)\n"
    )


def test_a_full_disk_is_a_one_line_error(tmp_path: Path) -> None:
    code = (
        "import resource; from lstm_lm.ui import program; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "program.run(lambda: open('large', 'wb').write(bytes(10_000)))"
    )
    done = run([sys.executable, "-c", code], tmp_path, check=False, PYTHONPATH=str(PROJECT / "src"))
    assert done.returncode == 1
    assert done.stdout == f"error: File too large: free some disk space at {tmp_path} and run this again\n"


def test_ctrl_c_leaves_no_stack_trace(capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code(raising(KeyboardInterrupt())) == 130
    assert capfd.readouterr().err == "stopped\n"


def test_an_interruption_ends_with_its_own_message_and_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code(raising(Interrupted("stopped at step 3", 143))) == 143
    assert capfd.readouterr().err == "stopped at step 3\n"


def test_a_failed_stage_says_how_to_restore_its_earlier_outputs(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    (tmp_path / "dvc.lock").write_text("stages:\n  train:\n    cmd: python src/train.py\n")
    assert exit_code(raising(UserError("no"))) == 1
    assert capfd.readouterr().err == (
        "error: no [to get the earlier results back, undo your changes to parameters and text, and run: dvc repro; "
        "to get back only the outputs of this stage, run: dvc checkout --force train]\n"
    )
    monkeypatch.setenv("DVC_STAGE", "vocab")
    exit_code(raising(UserError("no")))
    assert capfd.readouterr().err == "error: no\n"
