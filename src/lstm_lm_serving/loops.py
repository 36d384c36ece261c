"""Which of the SavedModel's loops over words can do what the rows ask for."""

from collections.abc import Mapping
from typing import Any

from lstm_lm_serving.checks import Table

GENERAL = "general"  # the name of the loop that can do everything


def fastest(table: Table, options: Mapping[str, Any]) -> str:
    """Return the first loop that can do what is asked for.

    Args:
        table: of generation options, with the loops.
        options: a vector for each option that applies to words, one value a row.
    """
    off = {row["name"]: row["off"] for row in table["options"] if row["off"] is not None and row["name"] in options}
    on = {name for name, value in off.items() if (options[name] != value).any()}
    for loop in table["loops"]:
        in_all = all((options[name] != off[name]).all() for name in loop["on_in_all"])
        if in_all and on <= set(loop["may_be_on"]) and ((options["temperature"] <= 0) == loop["greedy"]).all():
            name: str = loop["name"]
            return name
    return GENERAL
