"""Commands `promote`, `rollback` and `models`: which version of the model is the champion."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_lm.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import Params

RUN_ID = re.compile(r"[0-9a-f]{32}")


def promote(
    model: Annotated[
        str | None, typer.Argument(help="id of an MLflow run, version, or name of an experiment; default: this checkout's model")
    ] = None,
) -> None:
    """Make a model the champion on purpose, whatever its metrics. It is registered first, if need be."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import promotion, store
    from lstm_lm.tracking.versions import read
    from lstm_lm.ui import registry_messages

    settings = loading.load()
    name = settings.tracking.registered_model
    client = store.connect(settings.tracking)
    before = read(client, name)
    number = find_or_register(client, settings, model)
    registry_messages.show_promotion(name, before, promotion.promote(client, name, number))


def find_or_register(client: "MlflowClient", settings: "Params", model: str | None) -> int:
    """Return the version of a model, which is registered if need be.

    Raises:
        UserError: there is no such run, version or experiment, or it has no model.
    """
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.tracking import own_model, registry

    name = settings.tracking.registered_model
    if model is None:
        find_saved_model()
        outcome = own_model.log_again(client, settings, as_version=True)
        assert outcome.version is not None
        return outcome.version
    if model.isdecimal() and not RUN_ID.fullmatch(model):
        return int(model)
    run_id = model if RUN_ID.fullmatch(model) else registry.find_experiment_run(client, settings.tracking, model)
    if run_id is None:
        raise UserError(
            f"promote {model}: neither a version of {name}, nor the id of an MLflow run, nor an experiment with a logged model "
            "(python src/cli.py models lists the versions, make compare the experiments)"
        )
    return registry.register_run(client, name, run_id)


def rollback() -> None:
    """Make the previous champion the champion again. Repeat it to go further back."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import promotion, store
    from lstm_lm.tracking.versions import read
    from lstm_lm.ui import registry_messages

    settings = loading.load().tracking
    client = store.connect(settings)
    before = read(client, settings.registered_model)
    registry_messages.show_promotion(settings.registered_model, before, promotion.roll_back(client, settings.registered_model))


def models() -> None:
    """List the versions of the model in the registry, with their metrics and which one is the champion."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import store
    from lstm_lm.tracking.versions import read
    from lstm_lm.ui import registry_messages

    settings = loading.load().tracking
    registry_messages.show_versions(settings.registered_model, read(store.connect(settings), settings.registered_model))
