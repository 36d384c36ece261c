import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import PROJECT, environment, run
from lstm_lm.errors import Interrupted, UserError
from lstm_lm.ui import program
from terminal_window import run_in_window


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


def test_in_a_terminal_an_error_breaks_between_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "src"))
    line = f"params.yaml: download.source: {'what is allowed ' * 6}models:/lstm_lm@champion"
    code = (
        f"from lstm_lm.ui import program; from lstm_lm.errors import UserError\ndef main():\n raise UserError({line!r})\nprogram.run(main)"
    )
    lines = run_in_window([sys.executable, "-c", code], tmp_path, 80, code=1)
    assert len(lines) > 1 and max(map(len, lines)) <= 80
    assert " ".join(lines) == f"error: {line}"


def test_a_missing_file_is_a_one_line_error(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(Path("data/batches/batches.json").read_text) == 1
    assert (
        capfd.readouterr().err
        == "error: data/batches/batches.json: No such file or directory (an output of the pipeline; to create it, run: make repro)\n"
    )


def test_another_python_than_the_projects_is_a_one_line_error(tmp_path: Path) -> None:
    """-S and -E: without any packages, as the system's Python is."""
    done = run([sys.executable, "-E", "-S", str(PROJECT / "src/cli.py"), "models"], tmp_path, check=False)
    assert (done.returncode, done.stdout) == (
        1,
        f"error: this Python ({sys.executable}) has no package typer: activate the project's environment first, "
        "with: source .venv/bin/activate (make setup creates it)\n",
    )


def test_a_missing_module_of_our_own_is_a_bug() -> None:
    with pytest.raises(ModuleNotFoundError):
        program.run(raising(ModuleNotFoundError("No module named 'lstm_lm.x'", name="lstm_lm.x")))


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


WAITS = {
    "as any program": "print('running', flush=True); time.sleep(60)",
    "in an interruption": (
        "with Interruption() as interruption:\n"
        "            print('running', flush=True)\n"
        "            while not interruption.reason: time.sleep(0.01)\n"
        "        raise Interrupted(interruption.reason, interruption.code)"
    ),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_does_not_disturb_a_program_that_ends(first: signal.Signals, wait: str, tmp_path: Path) -> None:
    """The shell and the system both send SIGHUP; here the program cleans up meanwhile."""
    program_file = tmp_path / "program.py"
    program_file.write_text(
        "import signal, sys, time\n"
        "from lstm_lm.errors import Interrupted\n"
        "from lstm_lm.io.interruption import Interruption\n"
        "from lstm_lm.ui import program\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup\n"
        "def main():\n"
        "    try:\n"
        f"        {wait}\n"
        "    finally:\n"
        "        print('cleaning', flush=True)\n"
        "        for line in sys.stdin: print('clean', flush=True)\n"
        "program.run(main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(program_file)],
        env=environment(PYTHONPATH=str(PROJECT / "src")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(first)
        assert process.stdout.readline() == "cleaning\n"
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "clean\n"
        assert process.communicate(timeout=60) == ("", "stopped\n")
        assert process.returncode == 128 + first
    finally:
        process.kill()
        process.communicate()


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
        "error: no [to get the earlier results back, undo your changes to parameters and text, and run: make repro; "
        "to get back only the outputs of this stage, run: dvc checkout --force train]\n"
    )
    monkeypatch.setenv("DVC_STAGE", "vocab")
    exit_code(raising(UserError("no")))
    assert capfd.readouterr().err == "error: no\n"
