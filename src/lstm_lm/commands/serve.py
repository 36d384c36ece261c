"""Command `serve`: this checkout's model over HTTP."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from lstm_lm.errors import UserError

SERVING_CODE = Path("src/lstm_lm/serving/pyfunc.py")


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 5001,
) -> None:
    """Serve this checkout's model over HTTP, with `mlflow models serve`."""
    from lstm_lm.commands.servers import check_can_listen
    from lstm_lm.config import loading
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.tracking import registry, store
    from lstm_lm.ui import terminal

    settings = loading.load()
    name = settings.tracking.registered_model
    saved_model = find_saved_model()
    version = registry.registered_version(store.connect(settings.tracking), saved_model, SERVING_CODE, name)
    if version is None:
        raise UserError(
            f"the model in {saved_model} is not in the registry as {name}: "
            f"register it with: dvc repro --force --single-item evaluate-sample"
        )
    check_can_listen("uvicorn", host, port, "make serve PORT=...")
    model = f"models:/{name}/{version}"
    terminal.print(f"serving {model} on http://{host}:{port}, ready in about 20 seconds. Ctrl-C stops it. Try it in another terminal:")
    terminal.verbatim(example_request(host, port, settings.evaluate_sample.prime_texts[0]))
    os.environ["MLFLOW_TRACKING_URI"] = store.uri(settings.tracking)
    os.execvp("mlflow", ["mlflow", "models", "serve", "-m", model, "--env-manager", "local", "--host", host, "--port", str(port)])


def example_request(host: str, port: int, prompt: str) -> str:
    """Return a shell command that asks the server for a text."""
    quoted = json.dumps(prompt, ensure_ascii=False).replace("'", r"'\''")  # within the shell's single quotes
    return (
        f"  curl http://{host}:{port}/invocations -H 'Content-Type: application/json' \\\n"
        f"""    -d '{{"dataframe_split": {{"columns": ["prompt"], "data": [[{quoted}]]}}, "params": {{"max_words": 20}}}}'"""
    )
