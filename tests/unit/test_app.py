import subprocess
import sys

import pytest

from conftest import PROJECT, run
from lstm_lm.commands import app
from lstm_lm.errors import UserError
from lstm_lm.ui import program

COMMANDS = [
    "sample",
    "score",
    "next",
    "serve",
    "export-serving",
    "ui",
    "compare",
    "search",
    "ablation",
    "presets",
    "experiment",
    "use-preset",
]
COMMANDS += ["check", "summary", "mlflow-run"]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """End programs with SystemExit, because `os._exit` would end pytest itself."""
    monkeypatch.setattr(program.os, "_exit", sys.exit)


def usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        app.main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    return printed.err


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app.main([])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.lstrip().startswith("Usage: python src/cli.py [OPTIONS] COMMAND")
    assert all(f" {command} " in printed for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_every_option_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app.main([command, "--help"])
    assert ended.value.code == 0
    assert f"Usage: python src/cli.py {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "error: No such command 'nonsense' (help: python src/cli.py --help)\n"),
        (["experiment"], "error: Missing argument 'preset' (help: python src/cli.py experiment --help)\n"),
        (["sample", "--top-k", "few"], "error: Invalid value for '--top-k': "),
        (["sample", "--topk", "3"], "error: No such option: --topk"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(arguments, capsys).startswith(message)


def test_the_help_and_light_commands_import_no_heavy_library() -> None:
    heavy = ["tensorflow", "mlflow", "numpy", "pandas", "dvc", "optuna", "requests"]
    code = (
        "import sys; from lstm_lm.commands import app\n"
        "try: app.main(['sample', '--help'])\n"
        "except SystemExit: print(*sorted(set(sys.argv[1:]) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], env={"PYTHONPATH": str(PROJECT / "src")}, capture_output=True, text=True, check=True
    )
    assert done.stderr == "\n"


def test_the_script_ends_with_the_exit_code_of_its_command() -> None:
    done = run([sys.executable, str(PROJECT / "src/cli.py"), "use-preset", "nonsense"], PROJECT, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("error: PRESET=nonsense: there is no presets/nonsense.yaml; the presets are ")


def test_a_store_that_fails_within_a_command_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def fail(*arguments: object, **options: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("database is locked"))

    monkeypatch.chdir(PROJECT)
    monkeypatch.setattr("lstm_lm.tracking.store.connect", fail)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@127.0.0.1/db")
    with pytest.raises(UserError, match=r"the tracking store postgresql://\*\*\*@127.0.0.1/db does not answer: its database is locked"):
        app.main(["models"])
