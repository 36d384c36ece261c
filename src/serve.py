"""Serve this checkout's model over HTTP: `mlflow models serve` of the registered version with these very weights."""

import argparse
import json
import os
from pathlib import Path

from lstm_lm.config import loading
from lstm_lm.errors import UserError
from lstm_lm.tracking import registry, store
from lstm_lm.ui import console


def main():
    parser = argparse.ArgumentParser(description="Serve this checkout's model with mlflow models serve.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5001, help="(default: %(default)s)")
    chosen = parser.parse_args()
    loaded = loading.load()
    settings = loaded.tracking
    prompt = json.dumps(loaded.evaluate_sample.prime_texts[0], ensure_ascii=False).replace("'", r"'\''")  # within a shell's quotes
    saved_model, serving = console.trained_model(), Path("src/lstm_lm/serving/pyfunc.py")
    version = registry.registered_version(store.connect(settings), saved_model, serving, settings.registered_model)
    if version is None:
        raise UserError(
            f"the model in {saved_model} is not in the registry as {settings.registered_model}: "
            f"register it with: dvc repro --force --single-item evaluate-sample"
        )
    console.check_can_serve("uvicorn", chosen.host, chosen.port, "make serve PORT=...")
    uri = f"models:/{settings.registered_model}/{version}"
    print(f"serving {uri} on http://{chosen.host}:{chosen.port} in about 20 seconds; stop with Ctrl-C. Ask it, in another terminal:")
    print(
        f"""  curl http://{chosen.host}:{chosen.port}/invocations -H 'Content-Type: application/json' \\
    -d '{{"dataframe_split": {{"columns": ["prompt"], "data": [[{prompt}]]}}, "params": {{"max_words": 20}}}}'""",
        flush=True,
    )
    os.environ["MLFLOW_TRACKING_URI"] = store.uri(settings)
    os.execvp(
        "mlflow", ["mlflow", "models", "serve", "-m", uri, "--env-manager", "local", "--host", chosen.host, "--port", str(chosen.port)]
    )


if __name__ == "__main__":
    console.run(main)
