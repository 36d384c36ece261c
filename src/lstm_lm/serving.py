"""The model as MLflow serves it: a self-contained pyfunc over the SavedModel ("models from code").

MLflow runs this file itself when it loads the model, far from this project: it imports nothing of ours.

Input: a table with the column `prompt` (string). Params: max_words, temperature, top_k, top_p, seed.
Output: a table with the column `text`: each prompt and the words after it.
"""

import contextlib
import ctypes
import math
import os
import unicodedata

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

SERVER = "__pyfunc_model_path__"  # set by MLflow's scoring server
MOST_PROMPTS = 256
MOST_CHARACTERS = 10_000
MOST_WORDS = 1_000
MOST_SEED = 2**31 - 1
DEFAULTS = {"max_words": 40, "temperature": 0.8, "top_k": 0, "top_p": 1.0, "seed": 1}


class ServedModel(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        _keep_freed_memory()
        import tensorflow as tf

        # A word's arithmetic is too little to share among threads, and requests run side by side anyway. Under the server alone:
        # a notebook's TensorFlow is its owner's.
        if SERVER in os.environ:
            with contextlib.suppress(RuntimeError):  # TensorFlow is in use already
                tf.config.threading.set_intra_op_parallelism_threads(1)
        self.tf = tf
        self.model = tf.saved_model.load(context.artifacts["saved_model"])
        self.generate = self.model.signatures["generate"]
        self.marks = _has_marks(context.artifacts["saved_model"])

    def predict(self, context, model_input: pd.DataFrame, params=None):
        """Continue every prompt. Thread-safe: nothing is kept between calls.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE (400 over HTTP), one line, for any cell or param that is not as allowed.
        """
        prompts = _prompts(model_input, self.marks)
        settings = {**DEFAULTS, **{name: value for name, value in (params or {}).items() if name in DEFAULTS}}
        tf = self.tf
        texts = self.generate(
            prompts=tf.constant(prompts),
            max_words=tf.constant(_whole("max_words", settings["max_words"], 0, MOST_WORDS), tf.int32),
            temperature=tf.constant(_number("temperature", settings["temperature"], 0, 100), tf.float32),
            top_k=tf.constant(_whole("top_k", settings["top_k"], 0, 2**31 - 1), tf.int32),
            top_p=tf.constant(_number("top_p", settings["top_p"], 0, 1, above=True), tf.float32),
            seed=tf.constant(_whole("seed", settings["seed"], 0, MOST_SEED), tf.int32),
        )["texts"]
        return pd.DataFrame({"text": [text.decode("utf-8", errors="replace") for text in texts.numpy()]})


def _keep_freed_memory():
    """As lstm_lm.memory: glibc would give each large block back to the system, which zeroes the next one page by page."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        # M_MMAP_THRESHOLD, of which glibc before 2.35 takes no larger one than the second; M_TRIM_THRESHOLD.
        if mallopt(-3, 2**30) or mallopt(-3, 2**25):
            mallopt(-1, 2**30)


def _refuse(message):
    # Control characters in what was sent must not break the one line.
    raise MlflowException("".join(c if c.isprintable() else " " for c in message), error_code=INVALID_PARAMETER_VALUE)


def _shown(value):
    # What was null in JSON comes as None or, in a column of strings, as NaN.
    text = "null" if value is None or value != value else repr(value)  # noqa: PLR0124
    return text if len(text) <= 80 else text[:77] + "..."


def _has_marks(saved_model):
    """Whether punctuation marks, or spaces, are words of the model's vocabulary."""
    with open(os.path.join(saved_model, "assets", "vocabulary.txt"), encoding="utf-8", newline="\n") as file:  # noqa: PTH118, PTH123
        next(file)  # <unk>
        return any(not any(c.isalnum() for c in word) for word in file)


def _prompts(model_input, marks):
    if isinstance(model_input, pd.DataFrame):
        if "prompt" not in model_input.columns:
            _refuse(f"there is no column 'prompt', only {_shown(list(model_input.columns))}")
        cells = model_input["prompt"].tolist()
    else:
        cells = list(model_input)
    if not 1 <= len(cells) <= MOST_PROMPTS:
        _refuse(f"{len(cells)} prompts: must be 1 to {MOST_PROMPTS} in a request")
    prompts = []
    for row, cell in enumerate(cells):
        if not isinstance(cell, str):
            _refuse(f"prompt of row {row} = {_shown(cell)}: must be a string")
        if len(cell) > MOST_CHARACTERS:
            _refuse(f"prompt of row {row} has {len(cell)} characters: must be at most {MOST_CHARACTERS}")
        if not any(c.isalnum() or (marks and not c.isspace()) for c in cell):
            _refuse(f"prompt of row {row} = {_shown(cell)}: must hold at least one word")
        prompts.append(unicodedata.normalize("NFC", cell).encode("utf-8", errors="replace"))
    return prompts


def _number(name, value, least, most, above=False):
    allowed = f"must be a number {'above' if above else 'from'} {least} {'and at most' if above else 'to'} {most}"
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        _refuse(f"{name} = {_shown(value)}: {allowed}")
    number = float(value)
    if not math.isfinite(number) or not least <= number <= most or (above and number == least):
        _refuse(f"{name} = {number:g}: {allowed}")
    return number


def _whole(name, value, least, most):
    allowed = f"must be a whole number from {least} to {most}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        _refuse(f"{name} = {_shown(value)}: {allowed}")
    number = value.__index__()
    if not least <= number <= most:
        _refuse(f"{name} = {number}: {allowed}")
    return number


mlflow.models.set_model(ServedModel())
