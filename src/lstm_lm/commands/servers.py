"""Checks before a server is started."""

import shutil
import socket

from lstm_lm.errors import UserError


def check_can_listen(program: str, host: str, port: int, command: str) -> None:
    """Check that a server can be started.

    Args:
        program: name of the program that is going to listen; it must be on PATH.
        host: address to listen on.
        port: to listen on.
        command: what to type for another port.

    Raises:
        UserError: the program is missing, or the port is taken or no port at all.
    """
    if not shutil.which(program):
        raise UserError(f"{program} is not on PATH: activate the environment first, with: source .venv/bin/activate")
    if not 1 <= port <= 65535:
        raise UserError(f"port {port}: must be from 1 to 65535: {command}")
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise UserError(f"port {port} is taken: choose another, with: {command}")
