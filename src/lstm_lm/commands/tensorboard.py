"""Command `tensorboard`: TensorBoard over the event files of trainings."""

import sys
import threading
import types
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path


def tensorboard(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on", min=1, max=65_535)] = 6006,
) -> None:
    """Start TensorBoard for trainings with `reporting.tensorboard: true`, and print its address."""
    from lstm_lm.commands import servers
    from lstm_lm.paths import project_root
    from lstm_lm.ui import event_files, terminal

    event_files.check_installed("this command")
    servers.check_can_listen(host, port, "make tensorboard PORT=...")
    folder = project_root() / event_files.FOLDER
    terminal.print("starting TensorBoard ...")
    serve(folder, host, port)
    announce(servers.url(host, port), is_empty=not any(folder.glob("*/*")))
    threading.Event().wait()


def serve(folder: "Path", host: str, port: int) -> None:
    """Start TensorBoard in a thread of this process, and a process that reads event files for it and ends with this one.

    Args:
        folder: with a folder of event files for each run.
        host: to listen on.
        port: to listen on.
    """
    # TensorBoard looks for this module, which its builds without TensorFlow have. It needs nothing of TensorFlow, which takes seconds to
    # import and prints its messages below the address.
    sys.modules["tensorboard.compat.notf"] = types.ModuleType("tensorboard.compat.notf")
    import tensorboard_data_server
    from tensorboard import program

    board = program.TensorBoard()
    # Left to itself, TensorBoard looks for the same program, and prints a note about it.
    load_fast = "true" if tensorboard_data_server.server_binary() else "false"
    board.configure(logdir=str(folder), host=host, port=port, window_title="lstm-lm", load_fast=load_fast)
    board.launch()


def announce(address: str, *, is_empty: bool) -> None:
    """Print what to open, last.

    Args:
        address: of TensorBoard on this machine.
        is_empty: whether there are no event files yet.
    """
    from lstm_lm.ui import event_files, terminal

    if is_empty:
        terminal.print(
            f"There are no event files in {event_files.FOLDER}/ yet: set reporting.tensorboard to true in params.yaml, then run: make repro"
        )
    terminal.print("Ready (Ctrl-C stops). TensorBoard:")
    terminal.verbatim(f"  {address}")
