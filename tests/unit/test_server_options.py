from pathlib import Path
from typing import Annotated, Any

import typer
from typer.testing import CliRunner

from lstm_lm.commands.server_options import ServerOptions, with_server_options

got: dict[str, Any] = {}


def command(port: Annotated[int, typer.Option(min=1)] = 5001, *, options: ServerOptions) -> None:
    """Serve."""
    got.update(port=port, options=options)


def run(*arguments: str) -> int:
    app = typer.Typer()
    app.command()(with_server_options(command))
    return CliRunner().invoke(app, arguments).exit_code


def test_the_flags_are_those_of_the_command_and_of_the_options() -> None:
    assert run() == 0
    assert got == {"port": 5001, "options": ServerOptions(30.0, None, 100)}
    assert run("--port", "7", "--log-prompts", "a/b", "--log-prompts-mb", "3", "--shutdown-seconds", "1.5") == 0
    assert got == {"port": 7, "options": ServerOptions(1.5, Path("a/b"), 3)}


def test_their_bounds_are_checked() -> None:
    assert [run("--port", "0"), run("--log-prompts-mb", "0"), run("--shutdown-seconds", "-1")] == [2, 2, 2]
