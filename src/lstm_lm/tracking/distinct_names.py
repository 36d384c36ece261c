"""One name, one recipe: a run whose name another run has, with other parameters or another text, gets a few digits more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lstm_lm.io import hashing
from lstm_lm.tracking.text_source import DIGEST_LENGTH, TEXT_DIGEST

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MAX_RUNS = 50  # of the same name that are looked at, newest first
COMPARED_LENGTH = 500  # characters of a parameter: stores cut off longer ones
FORMER_TEXT_TAG = "data.raw"  # where earlier versions of this project kept the text's digest


def distinct_name(client: MlflowClient, experiment: str, name: str, recipe: Mapping[str, str]) -> str:
    """Return the name, with four digits of the recipe's digest if a run of another recipe has it.

    Args:
        client: see `store.connect`.
        experiment: id of the experiment.
        name: that describes the recipe.
        recipe: all that shapes the weights, as `run.recipe` returns it. What only one of two runs has, is not compared.
    """
    quote = '"' if "'" in name else "'"
    if quote in name:
        return name
    others = client.search_runs([experiment], f"attributes.run_name = {quote}{name}{quote}", max_results=MAX_RUNS)
    if all(is_same_recipe(other, recipe) for other in others):
        return name
    return f"{name} {hashing.digest_json(dict(recipe))[:4]}"


def is_same_recipe(run: Run, recipe: Mapping[str, str]) -> bool:
    """Whether a run has these parameters and this text, as far as both are known."""
    params = dict(run.data.params)
    if TEXT_DIGEST not in params and FORMER_TEXT_TAG in run.data.tags:
        params[TEXT_DIGEST] = run.data.tags[FORMER_TEXT_TAG][:DIGEST_LENGTH]
    return all(params[key][:COMPARED_LENGTH] == recipe[key][:COMPARED_LENGTH] for key in params.keys() & recipe.keys())
