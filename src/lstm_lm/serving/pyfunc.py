"""The model as MLflow serves it: a self-contained pyfunc over the SavedModel ("models from code").

MLflow runs this file itself when it loads the model, far from this project. So it imports nothing of the project; the names, defaults and
bounds of the generation options come from a table that is logged with the model.

Input: a table with the column `prompt` (string). Params: the generation options.
Output: a table with the column `text`: each prompt and the words after it. With several samples, there is a row for each sample, those of
a prompt are neighbors, and two more columns identify them: `row` of the input and `sample`, both from 0.
"""

import contextlib
import ctypes
import functools
import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

SERVER = "__pyfunc_model_path__"  # environment variable set by MLflow's scoring server
MAX_SHOWN_CHARACTERS = 80  # of a wrong value in a message
Table = dict[str, Any]  # as written by lstm_lm.generation.options.served_table


class ServedModel(mlflow.pyfunc.PythonModel):
    """The artifact `saved_model` is a folder; the table of generation options is among its assets."""

    def load_context(self, context: Any) -> None:
        """Load the SavedModel and the table; MLflow calls this once."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        _keep_freed_memory()
        import tensorflow as tf

        # Generating one word is too little work to share between threads, and requests run in parallel anyway. Only in the server: in a
        # notebook, TensorFlow's settings are the user's.
        if SERVER in os.environ:
            with contextlib.suppress(RuntimeError):  # TensorFlow is in use already
                tf.config.threading.set_intra_op_parallelism_threads(1)
        self.dtypes = {"int": tf.int32, "float": tf.float32, "bool": tf.bool}
        self.constant = tf.constant
        self.model = tf.saved_model.load(context.artifacts["saved_model"])
        self.generate = self.model.signatures["generate"]
        self.table: Table = read_options(context.artifacts["saved_model"])
        words = read_vocabulary(context.artifacts["saved_model"])
        self.has_sentence_ends = not set(words).isdisjoint(self.table["sentence_ends"])
        self.has_punctuation = has_punctuation(words)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Continue every prompt. Thread-safe: nothing is kept between calls.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE (400 over HTTP), one line, for any cell or param that is not allowed.
        """
        prompts = check_prompts(model_input, self.table, self.has_punctuation)
        options = check_options(params or {}, self.table)
        check_size(len(prompts), options, self.table)
        if options["stop_at_sentence_end"] and not self.has_sentence_ends:
            _warn_once(f"stop_at_sentence_end has no effect: none of {' '.join(self.table['sentence_ends'])} is a word of this model")
        count = len(prompts)
        tensors = {row["name"]: self.constant([options[row["name"]]] * count, self.dtypes[row["type"]]) for row in self.table["options"]}
        texts = self.generate(prompts=self.constant(prompts), **tensors)["texts"]
        columns: dict[str, list[Any]] = {"text": [text.decode("utf-8", errors="replace") for text in texts.numpy()]}
        samples = options["samples"]
        if samples > 1:
            columns["row"] = [row for row in range(len(prompts)) for _ in range(samples)]
            columns["sample"] = [sample for _ in prompts for sample in range(samples)]
        return pd.DataFrame(columns)


def check_options(params: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """The value of every option, from the params or by default, converted to its type.

    Raises:
        MlflowException: a value is not allowed.
    """
    options = {row["name"]: check_value(params.get(row["name"], row["default"]), row) for row in table["options"]}
    if 1 < options["beam_width"] < options["samples"]:
        _refuse(
            f"samples = {options['samples']} with beam_width = {options['beam_width']}: must be at most beam_width, "
            "because the samples are the best texts of the beam"
        )
    return options


def check_value(value: Any, row: Table) -> Any:
    """Check one value against its row of the table.

    Raises:
        MlflowException: it is not allowed.
    """
    name, minimum, maximum = row["name"], row["minimum"], row["maximum"]
    if row["type"] == "bool":
        if type(value).__name__ not in ("bool", "bool_"):  # NumPy's too, as MLflow makes them
            _refuse(f"{name} = {_shown(value)}: must be true or false")
        return bool(value)
    bounds = f"above {minimum} and at most {maximum}" if row["exclusive_minimum"] else f"from {minimum} to {maximum}"
    is_whole = row["type"] == "int"
    allowed = f"must be a {'whole ' if is_whole else ''}number {bounds}"
    if isinstance(value, bool) or not hasattr(value, "__index__" if is_whole else "__float__"):
        _refuse(f"{name} = {_shown(value)}: {allowed}")
    number = value.__index__() if is_whole else float(value)
    is_above = number > minimum if row["exclusive_minimum"] else number >= minimum
    if not (is_above and number <= maximum and math.isfinite(number)):
        _refuse(f"{name} = {number if is_whole else format(number, 'g')}: {allowed}")
    return number


def check_size(prompts: int, options: Mapping[str, Any], table: Table) -> None:
    """Check how many texts a request asks for.

    Raises:
        MlflowException: too many.
    """
    name = "beam_width" if options["beam_width"] > 1 else "samples"
    texts, limit = prompts * options[name], table["max_texts"]
    if texts > limit:
        _refuse(f"{name} = {options[name]} with {prompts} prompts makes {texts} texts at once: must be at most {limit} in a request")


def check_prompts(model_input: pd.DataFrame | Sequence[Any], table: Table, punctuation_is_enough: bool) -> list[bytes]:
    """The prompts of a request in UTF-8; the model normalizes them itself.

    Args:
        model_input: a table with the column `prompt`, or a sequence of prompts.
        table: for the limits.
        punctuation_is_enough: a prompt without any letter or digit is allowed.
    Raises:
        MlflowException: there are no prompts or too many, or one is not allowed.
    """
    if isinstance(model_input, pd.DataFrame):
        if "prompt" not in model_input.columns:
            _refuse(f"there is no column 'prompt', only {_shown(list(model_input.columns))}")
        cells = model_input["prompt"].tolist()
    else:
        cells = list(model_input)
    if not 1 <= len(cells) <= table["max_prompts"]:
        _refuse(f"{len(cells)} prompts: must be 1 to {table['max_prompts']} in a request")
    for row, cell in enumerate(cells):
        if not isinstance(cell, str):
            _refuse(f"prompt of row {row} = {_shown(cell)}: must be a string")
        if len(cell) > table["max_prompt_characters"]:
            _refuse(f"prompt of row {row} has {len(cell)} characters: must be at most {table['max_prompt_characters']}")
        if not any(c.isalnum() or (punctuation_is_enough and not c.isspace()) for c in cell):
            _refuse(f"prompt of row {row} = {_shown(cell)}: must contain at least one word")
    return [cell.encode("utf-8", errors="replace") for cell in cells]


def read_options(saved_model: str) -> Table:
    """Read the table of generation options of a SavedModel."""
    table: Table = json.loads((Path(saved_model) / "assets/generation_options.json").read_text(encoding="utf-8"))
    return table


def read_vocabulary(saved_model: str | Path) -> list[str]:
    """All words that the model may generate. Not by `splitlines`, which would also split at characters that are words here."""
    return (Path(saved_model) / "assets/vocabulary.txt").read_bytes().decode("utf-8").split("\n")[1:-1]


def has_punctuation(words: Sequence[str]) -> bool:
    """Whether punctuation is among the words of a vocabulary, other than what a vocabulary of characters needs inside words."""
    return any(word.strip(" \u2581'-") and not any(c.isalnum() for c in word) for word in words)


def _keep_freed_memory() -> None:
    """As lstm_lm.io.memory: glibc would return each large block to the system, which then zeroes the next one page by page."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        # M_MMAP_THRESHOLD, of which glibc before 2.35 takes no larger one than the second; M_TRIM_THRESHOLD.
        if mallopt(-3, 2**30) or mallopt(-3, 2**25):
            mallopt(-1, 2**30)


@functools.cache
def _warn_once(message: str) -> None:
    logging.getLogger(__name__).warning(message)


def _refuse(message: str) -> NoReturn:
    # Control characters in what was sent must not break the one line.
    raise MlflowException("".join(c if c.isprintable() else " " for c in message), error_code=INVALID_PARAMETER_VALUE)


def _shown(value: Any) -> str:
    # A null of JSON arrives as None or, in a column of strings, as NaN.
    text = "null" if value is None or value != value else repr(value)  # noqa: PLR0124
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 3] + "..."


mlflow.models.set_model(ServedModel())
