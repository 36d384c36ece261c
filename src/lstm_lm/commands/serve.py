"""Command `serve`: a model over HTTP."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_lm.commands.server_options import ServerOptions

if TYPE_CHECKING:
    from lstm_lm.serving.app.settings import ServerSettings

MODEL_HELP = (
    "what to serve: models:/NAME@ALIAS, models:/NAME/VERSION, a version, the id of an MLflow run, or a folder with an MLflow model or a "
    "SavedModel (default: this checkout's own model)"
)


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on", min=1, max=65_535)] = 5001,
    model: Annotated[str | None, typer.Option(help=MODEL_HELP, show_default=False)] = None,
    compare: Annotated[str | None, typer.Option(help="a second model to compare with, named in the same way", show_default=False)] = None,
    workers: Annotated[int, typer.Option(help="processes, each with its own copy of the model", min=1, max=64)] = 1,
    allowed_hosts: Annotated[
        str, typer.Option(help="other names or addresses under which clients reach this server, separated by commas; *: any (unsafe)")
    ] = "",
    *,
    options: ServerOptions,
) -> None:
    """Serve a model over HTTP: a page to try it, OpenAI's completions, scores, next words, MLflow's protocol, metrics."""
    from lstm_lm.commands import servers
    from lstm_lm.config import loading
    from lstm_lm.serving.app import sources
    from lstm_lm.serving.app.settings import KEY_VARIABLE, MEBIBYTE, ServerSettings, api_key
    from lstm_lm.serving.prompts import files
    from lstm_lm.ui import program, terminal

    servers.check_can_listen(host, port, "make serve PORT=...")
    if options.log_prompts is not None:
        files.prepare(options.log_prompts)
    settings = ServerSettings(
        model,
        compare,
        host,
        port,
        workers,
        hosts=tuple(servers.allowed_hosts(host, port, allowed_hosts).lower().split(",")),
        origins=tuple(servers.allowed_origins(host, port, allowed_hosts).lower().split(",")),
        shutdown_seconds=options.shutdown_seconds,
        log_prompts=options.log_prompts and options.log_prompts.resolve(),
        log_prompts_bytes=options.log_prompts_mb * MEBIBYTE,
        example_prompts=tuple(loading.load().evaluate_sample.prime_texts),
    )
    # Found before anything slow starts, and by one process: a mistake is reported once.
    found = [sources.resolve(source) for source in settings.named]
    address = servers.url(host, port)
    for name, each in zip(sources.ids(found), found, strict=True):
        terminal.print(f"Loading {name}: {each.label}")
    terminal.print("Once it is ready, open it in a browser, or try it in a terminal:")
    terminal.verbatim(example_request(address, settings.example_prompts[0], api_key() is not None))
    if host not in servers.LOCAL and api_key() is None:
        terminal.warning(f"other machines can reach this server without a key: set {KEY_VARIABLE} to ask for one")
    if options.log_prompts is not None:
        terminal.note(f"prompts are logged to {options.log_prompts}, at most {options.log_prompts_mb:,} MiB of them")
    _run(settings, lambda: terminal.print(f"Ready: {address} (Ctrl-C stops)"))
    program.leave("", 0)


def _run(settings: "ServerSettings", ready: Callable[[], None]) -> None:
    from lstm_lm.commands import servers
    from lstm_lm.errors import UserError
    from lstm_lm.serving.app import server, workers

    try:
        bound = server.listen(settings)
    except OSError as error:
        raise UserError(servers.why_not(error, settings.host, settings.port, "make serve PORT=...")) from None
    if settings.workers == 1:
        server.run(settings, bound, ready)
    else:
        workers.Supervisor(settings, bound, ready).run()


def example_request(address: str, prompt: str, needs_key: bool = False) -> str:
    """Return a shell command that asks the server for a text, in lines that fit into 80 columns unless the prompt is long."""
    quoted = json.dumps(prompt, ensure_ascii=False).replace("'", r"'\''")  # within the shell's single quotes
    key = ['-H "Authorization: Bearer $LSTM_LM_API_KEY"'] if needs_key else []
    body = f"""-d '{{"prompt": {quoted}, "max_tokens": 20}}'"""
    return "  " + " \\\n    ".join([f"curl {address}/v1/completions", "-H 'Content-Type: application/json'", *key, body])
