"""Commands `promote`, `rollback` and `models`: which version of the model is the champion."""

from typing import Annotated

import typer


def promote(
    model: Annotated[
        str | None, typer.Argument(help="id of an MLflow run, version, or name of an experiment; default: this checkout's model")
    ] = None,
) -> None:
    """Make a model the champion on purpose, whatever its metrics. It is registered first, if need be."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import guard, promotable, promotion, store
    from lstm_lm.tracking.versions import read
    from lstm_lm.ui import registry_messages

    settings = loading.load()
    name = settings.tracking.registered_model
    client = store.connect(settings.tracking)
    with guard.guarded(store.place(settings.tracking)):
        before = read(client, name)
        number = promotable.find_or_register(client, settings, model, _run_of_experiment)
        after = promotion.promote(client, name, number)
    registry_messages.show_promotion(name, before, after)


def _run_of_experiment(name: str) -> str | None:
    """Return the id of the MLflow run that trained the model of an experiment of the last commit, or None if there is none.

    Raises:
        UserError: its results are not on this machine.
    """
    from lstm_lm.errors import UserError
    from lstm_lm.experiments import runner

    try:
        experiment = next((each for each in runner.experiments_of_last_commit() if each.name == name), None)
    except UserError:  # no Git repository: there are no experiments
        return None
    if experiment is None:
        return None
    try:
        return experiment.run_id()
    except UserError:
        problem = runner.missing_results_problem(name)
        raise UserError(f"promote {name}: " + problem + ", or name its MLflow run, which make ui shows") from None


def rollback() -> None:
    """Make the previous champion the champion again. Repeat it to go further back."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import guard, promotion, store
    from lstm_lm.tracking.versions import read
    from lstm_lm.ui import registry_messages

    settings = loading.load().tracking
    client = store.connect(settings)
    with guard.guarded(store.place(settings)):
        before = read(client, settings.registered_model)
        after = promotion.roll_back(client, settings.registered_model)
    registry_messages.show_promotion(settings.registered_model, before, after)


def models() -> None:
    """List the versions of the model in the registry, with their metrics and which one is the champion."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import guard, store
    from lstm_lm.tracking.versions import read
    from lstm_lm.ui import registry_messages

    settings = loading.load().tracking
    client = store.connect(settings)
    with guard.guarded(store.place(settings)):
        board = read(client, settings.registered_model)
    registry_messages.show_versions(settings.registered_model, board)
