"""The flags of `serve` about a server that runs: how it stops, and whether it logs prompts."""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

PARAMETER = "options"


@dataclass(frozen=True)
class ServerOptions:
    """The values of the flags.

    Attributes:
        shutdown_seconds: how long running requests may take after SIGTERM.
        log_prompts: folder to which prompts are logged; None: they are not.
        log_prompts_mb: mebibytes of all files in it.
    """

    shutdown_seconds: float
    log_prompts: Path | None
    log_prompts_mb: int


def _flags(
    shutdown_seconds: Annotated[float, typer.Option(help="how long running requests may take after SIGTERM", min=0)] = 30.0,
    log_prompts: Annotated[
        Path | None,
        typer.Option(
            help="folder to log prompts to, for the command drift; read docs/how-to/monitor.md first (default: prompts are not kept)",
            show_default=False,
        ),
    ] = None,
    log_prompts_mb: Annotated[
        int, typer.Option(help="MiB that this folder may have; the oldest prompts are removed", min=1, max=1_000_000)
    ] = 100,
) -> ServerOptions:
    return ServerOptions(shutdown_seconds, log_prompts, log_prompts_mb)


def with_server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command for typer that has these flags as well.

    Args:
        command: takes its own flags, and a ServerOptions as `options`.
    """

    def flagged(**values: Any) -> None:
        ours = {name: values.pop(name) for name in inspect.signature(_flags).parameters}
        command(**values, **{PARAMETER: _flags(**ours)})

    own = [each for each in _parameters(command) if each.name != PARAMETER]
    parameters = [*own, *_parameters(_flags)]
    # typer reads both.
    flagged.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions do have it: PEP 362
    flagged.__annotations__ = {each.name: each.annotation for each in parameters}
    flagged.__doc__ = command.__doc__
    return flagged


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(function, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    return [each.replace(kind=kind, annotation=hints[name]) for name, each in inspect.signature(function).parameters.items()]
