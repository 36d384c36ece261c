"""MLflow's pages over this project's runs, started lean: one worker, no job runners."""

import argparse
import os

from lstm_lm import console, params, tracking


def main():
    parser = argparse.ArgumentParser(description="Open MLflow's pages over this project's runs.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5000, help="(default: %(default)s)")
    chosen = parser.parse_args()
    store = tracking.uri(params.load().tracking)
    if store.startswith(("http://", "https://")):
        raise console.UserError(f"the tracking store is a server with pages of its own: open {store}")
    console.check_can_serve("mlflow", chosen.host, chosen.port, "make ui PORT=...")
    print(f"MLflow on http://{chosen.host}:{chosen.port} in about 20 seconds; stop with Ctrl-C", flush=True)
    # Without this it starts task runners that nothing here uses, and twice as slowly.
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = ["mlflow", "ui", "--workers", "1", "--host", chosen.host, "--port", str(chosen.port), "--backend-store-uri", store]
    os.execvp("mlflow", command)


if __name__ == "__main__":
    console.run(main)
