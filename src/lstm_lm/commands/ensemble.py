"""Command `ensemble`: train several seeds as one model, in an isolated copy of the checkout."""

from typing import Annotated, Any

import typer

from lstm_lm.config.schema import MAX_ENSEMBLE_SIZE
from lstm_lm.errors import UserError

DEFAULT_SIZE = 3


def ensemble(
    size: Annotated[
        int | None,
        typer.Option(
            help=f"number of models (default: model.ensemble_size if above 1, else {DEFAULT_SIZE})",
            min=2,
            max=MAX_ENSEMBLE_SIZE,
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="their seeds, in a row, such as '4 5 6' (default: train.seed and the next ones)", show_default=False),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="name of a file in presets/, without .yaml (default: params.yaml as it is)", show_default=False)
    ] = None,
) -> None:
    """Train several seeds as one model, which averages their probabilities, in an isolated copy: this checkout stays as it is.

    The models are trained side by side, and the result is one SavedModel. With train.minutes, the minutes are for all of them together.
    """
    from lstm_lm.commands.experiment import run_and_show
    from lstm_lm.config import keys, loading, presets
    from lstm_lm.ui import terminal

    members: dict[str, Any] = {}
    if seeds is not None:
        first, number = parse_seeds(seeds, size)
        members = {"model.ensemble_size": number, "train.seed": first}
    elif size is not None:
        members = {"model.ensemble_size": size}
    changes = {**(presets.load(preset) if preset else {}), **members}
    where = f"params.yaml with presets/{preset}.yaml" if preset else "params.yaml"
    settings = loading.check(keys.with_changes(loading.read("params.yaml"), changes), where)
    configured, first, minutes = settings.model.ensemble_size, settings.train.seed, settings.train.minutes
    number = configured if configured > 1 else DEFAULT_SIZE
    changes["model.ensemble_size"] = number
    if minutes is None:
        time = f"the training takes about {number} times as long as that of one"
    else:
        time = f"train.minutes = {minutes:g} is the time for all of them together"
    terminal.print(f"{number} models as one, with the seeds {first} to {first + number - 1}: {time}")
    name = f"{preset}-ensemble-{number}" if preset else f"ensemble-{number}"
    run_and_show(changes, name if seeds is None else f"{name}-seed{first}")


def parse_seeds(text: str, size: int | None) -> tuple[int, int]:
    """Return the first seed and the number of seeds of a list such as `4 5 6`.

    Args:
        text: the list.
        size: number of models that was asked for, or None.
    Raises:
        UserError: the list is none of consecutive integers from 0, or has another length than `size`.
    """
    from lstm_lm.commands import ablation

    numbers = ablation.parse_seeds(text)
    if not 2 <= len(numbers) <= MAX_ENSEMBLE_SIZE or numbers[0] < 0 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise UserError(f"SEEDS={text}: must be 2 to {MAX_ENSEMBLE_SIZE} consecutive integers from 0, separated by spaces, such as 4 5 6")
    if size not in (None, len(numbers)):
        raise UserError(f"SIZE={size} and SEEDS={text}: give one of them only")
    return numbers[0], len(numbers)
