"""Logging the MLflow model to its run.

Every step can be repeated: a model that was logged is found, and one that is incomplete is completed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.tracking import mlflow_model, model_facts
from lstm_lm.tracking.mlflow_model import Sources

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

DIGEST_TAG = "lstm_lm.digest"  # of a logged model and of a model version: see mlflow_model.Sources
FOLDER = "model"  # a temporary one
READY = "READY"


def log(client: MlflowClient, run_id: str, sources: Sources, tags: Mapping[str, str]) -> str:
    """Log the MLflow model to a run, unless it is there with all its files.

    Args:
        client: see `store.connect`.
        run_id: the run that trained the weights.
        sources: what the MLflow model is made of.
        tags: of the logged model, besides its digest and the code that made it.
    Returns:
        The id of the logged model.
    """
    digest = sources.digest
    run = client.get_run(run_id)
    tags = {**model_facts.tags(run), **tags}
    model = _only(client, find(client, digest, run_id))
    if model is None:
        client.create_logged_model(
            run.info.experiment_id,
            model_facts.name(run),
            source_run_id=run_id,
            tags={**tags, DIGEST_TAG: digest},
            params=model_facts.params(run),
        )
        # MLflow's client repeats a call whose answer was lost, so that there may be two.
        model = _only(client, find(client, digest, run_id))
        assert model is not None
    elif missing := {key: value for key, value in tags.items() if model.tags.get(key) != value}:
        client.set_logged_model_tags(model.model_id, missing)
    model_facts.log_params(client, model, run)
    if not is_complete(client, model, sources.saved_model):
        _upload(client, model, sources)
    outputs = run.outputs
    if model.model_id not in {output.model_id for output in (outputs.model_outputs if outputs else [])}:
        from mlflow.entities import LoggedModelOutput

        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    model_facts.log_metrics(client, model.model_id, run)
    return str(model.model_id)


def find(client: MlflowClient, digest: str | None = None, run_id: str | None = None) -> list[LoggedModel]:
    """Return the logged models of this project with a digest, or of a run, or both: complete ones first, then the oldest first."""
    conditions = [f"tags.`{DIGEST_TAG}` = '{digest}'"] if digest else []
    experiments = [client.get_run(run_id).info.experiment_id] if run_id else [each.experiment_id for each in client.search_experiments()]
    if run_id:
        conditions.append(f"source_run_id = '{run_id}'")
    found: list[Any] = client.search_logged_models(experiments, " AND ".join(conditions)) if experiments else []
    return sorted((each for each in found if DIGEST_TAG in each.tags), key=lambda each: (not is_ready(each), each.creation_timestamp))


def is_ready(model: LoggedModel) -> bool:
    """Whether MLflow holds a logged model for complete."""
    return str(model.status) == READY


def is_complete(client: MlflowClient, model: LoggedModel, saved_model: Path | None = None) -> bool:
    """Whether the store has the files of a logged model.

    Args:
        saved_model: what is there is compared with this folder, if it is known.
    """
    if not is_ready(model):
        return False
    stored = {item.path: item.file_size for item in _files(client, model.model_id, None)}
    if saved_model is None:
        return "MLmodel" in stored and any(path.startswith(mlflow_model.SAVED_MODEL_FOLDER) for path in stored)
    files = [path for path in saved_model.rglob("*") if path.is_file()]
    expected = {f"{mlflow_model.SAVED_MODEL_FOLDER}/{path.relative_to(saved_model).as_posix()}": path.stat().st_size for path in files}
    return "MLmodel" in stored and all(stored.get(path) == size for path, size in expected.items())


def _files(client: MlflowClient, model_id: str, folder: str | None) -> Iterator[Any]:
    for item in client.list_logged_model_artifacts(model_id, folder):
        if item.is_dir:
            yield from _files(client, model_id, item.path)
        else:
            yield item


def _only(client: MlflowClient, models: list[LoggedModel]) -> LoggedModel | None:
    """Return the first model, and delete those that are incomplete duplicates of it."""
    for duplicate in models[1:]:
        if not is_ready(duplicate):
            client.delete_logged_model(duplicate.model_id)
    return models[0] if models else None


def _upload(client: MlflowClient, model: LoggedModel, sources: Sources) -> None:
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as temporary, current_store(client.tracking_uri):
        folder = Path(temporary) / FOLDER
        description = Model(
            artifact_path=model.artifact_location, run_id=model.source_run_id, model_uuid=model.model_id, model_id=model.model_id
        )
        mlflow_model.save(folder, description, sources)
        client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, READY)


@contextmanager
def current_store(address: str) -> Iterator[None]:
    """Make a store MLflow's current one, for calls that take no client.

    MLflow also sets environment variables, which are restored afterwards.
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
