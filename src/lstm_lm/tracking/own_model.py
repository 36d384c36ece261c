"""The exported model of this checkout in MLflow: what is known about it, and logging it again outside the pipeline."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm import paths
from lstm_lm.config.schema import Params
from lstm_lm.errors import UserError
from lstm_lm.text import encoded
from lstm_lm.tracking import mirroring, registry, store
from lstm_lm.tracking.guard import guarded
from lstm_lm.tracking.mirroring import Proxy
from lstm_lm.tracking.mlflow_model import Sources
from lstm_lm.tracking.registry import ModelToLog, Outcome
from lstm_lm.ui.report import card

if TYPE_CHECKING:
    from mlflow import MlflowClient

SAVED_MODEL = Path("models/saved_model")
SERVING = Path("src/lstm_lm/serving/pyfunc.py")
SERVING_PACKAGE = Path("src/lstm_lm_serving")
RUN_FILE = Path("models/run.json")
MODEL_CARD = Path(card.FILE)
METRICS_FILE = paths.REPORTS / "metrics.json"


def model_to_log(settings: Params, test_metrics: Mapping[str, float], as_version: bool) -> ModelToLog:
    """Return the exported model with what the registry is to know about it.

    Args:
        settings: all parameters.
        test_metrics: of the test text; empty if they are not known.
        as_version: whether it becomes a version of the registered model.
    """
    return ModelToLog(
        str(SAVED_MODEL),
        str(SERVING),
        settings.tracking.registered_model,
        register=as_version,
        adjusted_perplexity=test_metrics.get("adjusted_perplexity"),
        test_digest=encoded.digest_of_test_text(paths.VOCAB),
        serving_package=str(SERVING_PACKAGE),
        model_card=MODEL_CARD.read_text(encoding="utf-8") if MODEL_CARD.exists() else None,
    )


def digest() -> str:
    """The digest of the exported model, see `mlflow_model.Sources`."""
    return Sources(SAVED_MODEL, SERVING, SERVING_PACKAGE).digest


def log_again(client: "MlflowClient", settings: Params, as_version: bool) -> Outcome:
    """Log the model, with the metrics of its last evaluation, to the run that trained it.

    Raises:
        UserError: an output of the pipeline is missing.
    """
    metrics, run_id = _read(METRICS_FILE)["test"], _read(RUN_FILE)["run_id"]
    with guarded(store.place(settings.tracking)):
        tracked = mirroring.join(client, run_id, Proxy.of(settings, None))
        return registry.log_model(client, tracked.id, model_to_log(settings, metrics, as_version))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the pipeline first, with: make repro") from None
