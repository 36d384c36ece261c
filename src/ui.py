"""MLflow's pages over this project's runs, started lean: one worker, no job runners."""

import argparse
import os

from lstm_lm.config import loading
from lstm_lm.errors import UserError
from lstm_lm.tracking import comparison_view, store
from lstm_lm.ui import console


def main():
    parser = argparse.ArgumentParser(description="Open MLflow's pages over this project's runs.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5000, help="(default: %(default)s)")
    chosen = parser.parse_args()
    settings = loading.load().tracking
    address_of_store = store.uri(settings)
    if address_of_store.startswith(("http://", "https://")):
        raise UserError(f"the tracking store is a server with pages of its own: open {address_of_store}")
    console.check_can_serve("mlflow", chosen.host, chosen.port, "make ui PORT=...")
    experiment = store.experiment_id(store.connect(settings), settings)
    address = f"http://{chosen.host}:{chosen.port}"
    print(f"MLflow on {address} in about 20 seconds; stop with Ctrl-C. Trainings side by side:", flush=True)
    print(f"  {address}/{comparison_view.address(experiment)}", flush=True)
    # Without this it starts task runners that nothing here uses, and twice as slowly.
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = ["mlflow", "ui", "--workers", "1", "--host", chosen.host, "--port", str(chosen.port), "--backend-store-uri", address_of_store]
    os.execvp("mlflow", command)


if __name__ == "__main__":
    console.run(main)
