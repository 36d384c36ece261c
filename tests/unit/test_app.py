import subprocess
import sys

import pytest
import typer
from typer.core import TyperGroup

from conftest import PROJECT, run
from lstm_lm.commands import app, usage_errors
from lstm_lm.commands.reference import command_line
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
    "ensemble",
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


def test_every_number_has_its_range_in_the_reference() -> None:
    group = typer.main.get_command(app.app)
    assert isinstance(group, TyperGroup)
    numbers = [each for command in group.commands.values() for each in command.params if usage_errors.number_type(each) is not object]
    assert {"max_words", "k", "port", "trials", "minutes", "workers"} <= {each.name for each in numbers}
    for parameter in numbers:
        assert usage_errors.bounds(parameter).removeprefix("of ") in command_line._row(parameter)[2], parameter.name


def test_the_help_shows_ranges(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command, ranges in (("sample", ["(from 0 to 100000)", "(above 0 and at most 1; Holtzman"]), ("serve", ["[1<=x<=65535]", "[x>=0]"])):
        with pytest.raises(SystemExit):
            app.main([command, "--help"])
        printed = capsys.readouterr().out
        assert [each for each in ranges if each not in printed] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "error: No such command 'nonsense' (help: python src/cli.py --help)\n"),
        (["experiment"], "error: Missing argument 'preset' (help: python src/cli.py experiment --help)\n"),
        (["sample", "--max-words", "abc"], "error: --max-words = 'abc': must be a whole number from 0 to 100000 (help: "),
        (["sample", "--max-words", "2.5"], "error: --max-words = 2.5: must be a whole number from 0 to 100000 (help: "),
        (["sample", "--temperature", "abc"], "error: --temperature = 'abc': must be a number from 0 to 100 (help: "),
        (["next", "--k", "x"], "error: --k = 'x': must be a whole number of at least 1 (help: "),
        (["next", "--k", "0"], "error: --k = 0: must be a whole number of at least 1 (help: "),
        (["serve", "--port", "abc"], "error: --port = 'abc': must be a whole number from 1 to 65535 (help: "),
        (["serve", "--workers", "0"], "error: --workers = 0: must be a whole number from 1 to 64 (help: "),
        (["serve", "--shutdown-seconds", "-1"], "error: --shutdown-seconds = -1: must be a number of at least 0 (help: "),
        (["ui", "--port", "0"], "error: --port = 0: must be a whole number from 1 to 65535 (help: "),
        (["sample", "to", "be"], "error: Got unexpected extra argument (be): put a prompt of several words in quotes (help: "),
        (["sample", "to", "be", "or"], "error: Got unexpected extra arguments (be or): put a prompt of several words in quotes"),
        (["score", "a", "b"], "error: Got unexpected extra argument (b) (help: "),
        (["sample", "--topk", "3"], "error: No such option: --topk"),
        (["ensemble", "--size", "1"], "error: --size = 1: must be a whole number from 2 to 32 (help: "),
        (["ensemble", "--size", "33"], "error: --size = 33: must be a whole number from 2 to 32 (help: "),
        (["ensemble", "--size", "three"], "error: --size = 'three': must be a whole number from 2 to 32 (help: "),
        (["ensemble", "--size", "2.5"], "error: --size = 2.5: must be a whole number from 2 to 32 (help: "),
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
