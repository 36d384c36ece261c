"""How a server runs. Everything here can be sent to another process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

KEY_VARIABLE = "LSTM_LM_API_KEY"
MEBIBYTE = 2**20


@dataclass(frozen=True)
class ServerSettings:
    """The settings of a server.

    Attributes:
        model: what to serve, see `sources.resolve`; None: this checkout's own model.
        compare: a second model, served under its own id; None: none.
        host: address to listen on.
        port: to listen on.
        workers: number of processes, each with its own engine.
        hosts: the `Host` headers that are accepted; `*`: all.
        origins: the `Origin` headers that are accepted; `*`: all.
        max_body_bytes: of a request.
        max_body_seconds: until the body of a request must have arrived.
        request_seconds: until a request must be complete, unless it is of MLflow's protocol, whose clients wait for a minute.
        shutdown_seconds: how long running requests may take after SIGTERM.
        log_prompts: folder to which prompts are logged; None: they are not.
        log_prompts_bytes: of all files in it.
        example_prompts: of the text that the checkout's model is trained on.
        drain_seconds: how long new requests are still accepted after SIGTERM, while /readyz answers 503.
    """

    model: str | None = None
    compare: str | None = None
    host: str = "127.0.0.1"
    port: int = 5001
    workers: int = 1
    hosts: tuple[str, ...] = ("*",)
    origins: tuple[str, ...] = ("*",)
    max_body_bytes: int = 16 * MEBIBYTE
    max_body_seconds: float = 30.0
    request_seconds: float = 300.0
    shutdown_seconds: float = 30.0
    drain_seconds: float = 1.0
    log_prompts: Path | None = None
    log_prompts_bytes: int = 100 * MEBIBYTE
    example_prompts: tuple[str, ...] = ()

    @property
    def named(self) -> list[str | None]:
        """The models as the user names them: one, or two to compare."""
        return [self.model] if self.compare is None else [self.model, self.compare]


def api_key() -> bytes | None:
    """The key that clients must send, or None if they need none. It comes by the environment: others can read a command line."""
    return os.environ.get(KEY_VARIABLE, "").strip().encode() or None
