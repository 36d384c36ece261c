"""Command `serve`: this checkout's model over HTTP."""

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lstm_lm.config.schema import Params


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 5001,
) -> None:
    """Serve this checkout's model over HTTP, with `mlflow models serve`."""
    from lstm_lm.commands import servers
    from lstm_lm.config import loading
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.tracking import store
    from lstm_lm.ui import terminal

    settings = loading.load()
    find_saved_model()
    servers.check_can_listen("uvicorn", host, port, "make serve PORT=...")
    model = find_or_log(settings)
    terminal.print(f"serving {model} on {servers.url(host, port)}, ready in about 20 seconds. Ctrl-C stops it. Try it in another terminal:")
    terminal.verbatim(example_request(servers.url(host, port), settings.evaluate_sample.prime_texts[0]))
    # The registry is that of the tracking store, whatever registry the user has set for other projects.
    command = ["mlflow", "models", "serve", "-m", model, "--env-manager", "local", "--host", host, "--port", str(port)]
    os.execvpe("mlflow", command, store.environment(settings.tracking))


def find_or_log(settings: "Params") -> str:
    """Return the address of this checkout's model in the store. It is logged again if the store has lost it, or has never had it."""
    from lstm_lm.tracking import own_model, store, versions
    from lstm_lm.ui import evaluation_messages, terminal

    client = store.connect(settings.tracking)
    name = settings.tracking.registered_model
    digest = own_model.digest()
    model = versions.model_uri(client, name, digest, own_model.SAVED_MODEL)
    if model is not None:
        return model
    was_version = versions.find_version(client, name, digest) is not None
    terminal.print(f"the tracking store has no files of the model in {own_model.SAVED_MODEL}: logging it, which takes about 20 seconds ...")
    outcome = own_model.log_again(client, settings, as_version=was_version)
    evaluation_messages.show_logged_model(name, outcome)
    return f"models:/{outcome.model_id}" if outcome.version is None else f"models:/{name}/{outcome.version}"


def example_request(address: str, prompt: str) -> str:
    """Return a shell command that asks the server for a text."""
    quoted = json.dumps(prompt, ensure_ascii=False).replace("'", r"'\''")  # within the shell's single quotes
    return (
        f"  curl {address}/invocations -H 'Content-Type: application/json' \\\n"
        f"""    -d '{{"dataframe_split": {{"columns": ["prompt"], "data": [[{quoted}]]}}, "params": {{"max_words": 20}}}}'"""
    )
