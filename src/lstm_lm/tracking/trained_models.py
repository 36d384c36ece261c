"""Models in the tracking store from whose weights a training starts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.errors import SettingError
from lstm_lm.tracking import logged_model, mlflow_model
from lstm_lm.tracking.faults import first_line
from lstm_lm.tracking.guard import Place, guarded

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "train.init_from"
INIT_TAG = "lstm_lm.init_from"  # of a run: from which model it started
CONTINUES_TAG = "lstm_lm.continues"  # of a run: id of the run with fewer epochs whose steps it took over
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class TrainedModel:
    """A model in the store.

    Attributes:
        address: as MLflow's tools take it, never an alias: `models:/lstm_lm/3` or `models:/m-0123...`.
        run_id: the run in which it was trained.
    """

    address: str
    run_id: str

    @property
    def description(self) -> str:
        """For messages and tags."""
        return f"{self.address} of run {self.run_id}"


def find(client: MlflowClient, address: str) -> TrainedModel:
    """Find the model that `train.init_from` names.

    Args:
        client: see `store.connect`.
        address: runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS.
    Raises:
        SettingError: the store has no such model.
        StoreError: the store fails.
    """
    from mlflow.exceptions import MlflowException

    with guarded(Place(client.tracking_uri)):
        try:
            return _find_in_run(client, address) if address.startswith("runs:/") else _find_version(client, address)
        except MlflowException as error:
            if error.error_code not in UNKNOWN:
                raise
            raise SettingError(KEY, f"{address}: {first_line(error)}: choose another; make ui shows what there is") from None


def _find_in_run(client: MlflowClient, address: str) -> TrainedModel:
    run_id = address.removeprefix("runs:/")
    models = [model for model in logged_model.find(client, run_id=run_id) if logged_model.is_ready(model)]
    if not models:
        raise SettingError(KEY, f"{address}: this run has no model: choose another run, or let its stage evaluate-sample end first")
    return TrainedModel(f"models:/{models[-1].model_id}", run_id)


def _find_version(client: MlflowClient, address: str) -> TrainedModel:
    name, separator, version = re.fullmatch(r"models:/([^/@]+)([/@])(.+)", address).groups()  # type: ignore[union-attr]  # see the schema
    if separator == "@":
        version = client.get_model_version_by_alias(name, version).version
    return TrainedModel(f"models:/{name}/{version}", str(client.get_model_version(name, version).run_id))


def download(client: MlflowClient, model: TrainedModel, folder: Path) -> Path:
    """Download a model's SavedModel.

    Args:
        client: see `store.connect`.
        model: see `find`.
        folder: an empty folder.
    Returns:
        The SavedModel's folder, inside it.
    Raises:
        StoreError: the files cannot be fetched.
    """
    import mlflow

    place = Place(client.tracking_uri, f"model {model.address} in the tracking store", f"params.yaml: {KEY}")
    with guarded(place), logged_model.current_store(client.tracking_uri):
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=model.address, dst_path=str(folder))) / mlflow_model.SAVED_MODEL_FOLDER
