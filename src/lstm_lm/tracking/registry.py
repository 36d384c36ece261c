"""The model registry: logging the MLflow model of a run and registering it as a version."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.generation import options
from lstm_lm.io.hashing import digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

DIGEST_TAG = "lstm_lm.digest"  # of a model version: digest of its SavedModel and serving code
DESCRIPTION = "Word-level LSTM language model: prompt in, text out."
PARAM_TYPES = {bool: "boolean", int: "long", float: "double"}  # of options -> of MLflow


def log_model(client: MlflowClient, run_id: str, saved_model: Path, serving_code: Path, registered_name: str) -> tuple[int, bool]:
    """Log the MLflow model to a run and register it, unless these weights and this serving code are registered already.

    Args:
        client: see `store.connect`.
        run_id: the run that trained the weights.
        saved_model: folder of the SavedModel.
        serving_code: path of serving/pyfunc.py.
        registered_name: the model's name in the registry.
    Returns:
        (version, whether it is new).
    """
    registered = registered_version(client, saved_model, serving_code, registered_name)
    if registered is not None:
        return registered, False
    import mlflow
    import pandas as pd

    example = pd.DataFrame({"prompt": ["to be or not to"]}), {"max_words": 10, "temperature": 0.0}
    for name in ("mlflow.models.model", "mlflow.pyfunc", "mlflow.store.artifact.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not client.search_registered_models(f"name = '{registered_name}'"):
        client.create_registered_model(registered_name, description=DESCRIPTION)
    tags = {DIGEST_TAG: model_digest(saved_model, serving_code)}
    with current_store(client.tracking_uri):
        with mlflow.start_run(run_id=run_id):
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(serving_code),
                artifacts={"saved_model": str(saved_model)},
                signature=signature(),
                input_example=example,
                pip_requirements=requirements(),
            )
        new = client.create_model_version(registered_name, info.model_uri, run_id=run_id, tags=tags, model_id=info.model_id)
    return int(new.version), True


def registered_version(client: MlflowClient, saved_model: Path, serving_code: Path, registered_name: str) -> int | None:
    """Return the newest registered version with these weights and this serving code, or None."""
    wanted = model_digest(saved_model, serving_code)
    versions = client.search_model_versions(f"name = '{registered_name}'")
    return max((int(version.version) for version in versions if version.tags.get(DIGEST_TAG) == wanted), default=None)


def model_digest(saved_model: Path, serving_code: Path) -> str:
    """The sha256 that identifies a model version: of its SavedModel, which holds the generation options, and its serving code."""
    return hashlib.sha256((digest(saved_model) + digest(serving_code)).encode()).hexdigest()


def signature() -> ModelSignature:
    """The MLflow signature of the model: prompts in, texts out, and the generation options as params."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec("string", "prompt")]),
        # The columns `row` and `sample` are there only when several samples were asked for.
        outputs=Schema([ColSpec("string", "text"), *(ColSpec("long", name, required=False) for name in ("row", "sample"))]),
        params=ParamSchema([ParamSpec(row.name, PARAM_TYPES[row.type], row.default) for row in options.options()]),
    )


def requirements() -> list[str]:
    """The packages that a served model needs, pinned to the versions installed here."""
    return [f"{name}=={version(name)}" for name in ("mlflow", "tensorflow", "numpy", "pandas")]


@contextmanager
def current_store(address: str) -> Iterator[None]:
    """Make a store MLflow's current one, for calls that take no client.

    MLflow also sets an environment variable, which is restored afterwards.
    """
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(address)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before
