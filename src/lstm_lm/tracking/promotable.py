"""The version that a user means: by its number, an MLflow run, a DVC experiment, or as this checkout's model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstm_lm.errors import UserError
from lstm_lm.export.files import find_saved_model
from lstm_lm.tracking import own_model, registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient

    from lstm_lm.config.schema import Params

RUN_ID = re.compile(r"[0-9a-f]{32}")


def find_or_register(
    client: MlflowClient, settings: Params, model: str | None, run_of: Callable[[str], str | None] = lambda _: None
) -> int:
    """Return the version of a model, which is registered if need be.

    Args:
        client: see `store.connect`.
        settings: of the project.
        model: a version, the id of an MLflow run, or the name of a DVC experiment; None: this checkout's model.
        run_of: returns the id of the run that trained the model of a DVC experiment, if no run has the experiment's name: one with the
            weights of an earlier experiment is not trained again. None if there is no such experiment.

    Raises:
        UserError: there is no such run, version or experiment, or it has no model.
    """
    name = settings.tracking.registered_model
    if model is None:
        find_saved_model()
        outcome = own_model.log_again(client, settings, as_version=True)
        assert outcome.version is not None
        return outcome.version
    if model.isdecimal() and not RUN_ID.fullmatch(model):
        return int(model)
    run_id = model if RUN_ID.fullmatch(model) else registry.find_experiment_run(client, settings.tracking, model) or run_of(model)
    if run_id is None:
        raise UserError(
            f"promote {model}: neither a version of {name}, nor the id of an MLflow run, nor an experiment with a logged model "
            "(make models lists the versions, make compare the experiments)"
        )
    return registry.register_run(client, name, run_id)
