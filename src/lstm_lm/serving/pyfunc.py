"""The model as MLflow serves it: a self-contained pyfunc over the SavedModel ("models from code").

MLflow runs this file itself when it loads the model, far from this project: it imports nothing of ours.

Input: a table with the column `prompt` (string). Params: those of DEFAULTS.
Output: a table with the column `text`: each prompt and the words after it. With several samples, there is a row for each one, a prompt's
are neighbours, and two columns more say which they are: `row` of the input and `sample`, both from 0.
"""

import contextlib
import ctypes
import functools
import logging
import math
import os
import unicodedata
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

SERVER = "__pyfunc_model_path__"  # set by MLflow's scoring server
MOST_PROMPTS = 256
MOST_TEXTS = 256  # samples, and hypotheses of beam searches, of all prompts
MOST_CHARACTERS = 10_000
MOST_WORDS = 1_000
MOST_SEED = 2**31 - 1
MOST_NGRAM = 100
LEAST_PENALTY, MOST_PENALTY = 0.01, 100
SENTENCE_ENDS = (".", "!", "?", "<eos>")
DEFAULTS = {
    "max_words": 40,
    "temperature": 0.8,
    "top_k": 0,
    "top_p": 1.0,
    "seed": 1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram": 0,
    "stop_at_sentence_end": False,
    "samples": 1,
    "beam_width": 1,
}


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
        words = _words(context.artifacts["saved_model"])
        self.has_ends = not set(words).isdisjoint(SENTENCE_ENDS)
        self.marks = _have_marks(words)

    def predict(self, context, model_input: pd.DataFrame, params=None):
        """Continue every prompt. Thread-safe: nothing is kept between calls.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE (400 over HTTP), one line, for any cell or param that is not as allowed.
        """
        prompts = _prompts(model_input, self.marks)
        settings = {**DEFAULTS, **{name: value for name, value in (params or {}).items() if name in DEFAULTS}}
        tf = self.tf
        samples, beam_width = _samples(len(prompts), settings["samples"], settings["beam_width"])
        stop = _switch("stop_at_sentence_end", settings["stop_at_sentence_end"])
        if stop and not self.has_ends:
            _say_once(f"stop_at_sentence_end has no effect: none of {' '.join(SENTENCE_ENDS)} is a word of this model")
        texts = self.generate(
            prompts=tf.constant(prompts),
            max_words=tf.constant(_whole("max_words", settings["max_words"], 0, MOST_WORDS), tf.int32),
            temperature=tf.constant(_number("temperature", settings["temperature"], 0, 100), tf.float32),
            top_k=tf.constant(_whole("top_k", settings["top_k"], 0, 2**31 - 1), tf.int32),
            top_p=tf.constant(_number("top_p", settings["top_p"], 0, 1, above=True), tf.float32),
            seed=tf.constant(_whole("seed", settings["seed"], 0, MOST_SEED), tf.int32),
            min_p=tf.constant(_number("min_p", settings["min_p"], 0, 1), tf.float32),
            repetition_penalty=tf.constant(
                _number("repetition_penalty", settings["repetition_penalty"], LEAST_PENALTY, MOST_PENALTY), tf.float32
            ),
            no_repeat_ngram=tf.constant(_whole("no_repeat_ngram", settings["no_repeat_ngram"], 0, MOST_NGRAM), tf.int32),
            stop_at_sentence_end=tf.constant(stop),
            samples=tf.constant(samples, tf.int32),
            beam_width=tf.constant(beam_width, tf.int32),
        )["texts"]
        table = {"text": [text.decode("utf-8", errors="replace") for text in texts.numpy()]}
        if samples > 1:
            places = [(row, sample) for row in range(len(prompts)) for sample in range(samples)]
            table |= {"row": [row for row, _ in places], "sample": [sample for _, sample in places]}
        return pd.DataFrame(table)


def _keep_freed_memory():
    """As lstm_lm.memory: glibc would give each large block back to the system, which zeroes the next one page by page."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        # M_MMAP_THRESHOLD, of which glibc before 2.35 takes no larger one than the second; M_TRIM_THRESHOLD.
        if mallopt(-3, 2**30) or mallopt(-3, 2**25):
            mallopt(-1, 2**30)


@functools.cache
def _say_once(message):
    logging.getLogger(__name__).warning(message)


def _refuse(message):
    # Control characters in what was sent must not break the one line.
    raise MlflowException("".join(c if c.isprintable() else " " for c in message), error_code=INVALID_PARAMETER_VALUE)


def _shown(value):
    # What was null in JSON comes as None or, in a column of strings, as NaN.
    text = "null" if value is None or value != value else repr(value)  # noqa: PLR0124
    return text if len(text) <= 80 else text[:77] + "..."


def _words(saved_model):
    """All words that the model may write. Not by `splitlines`: a word may be a character at which that would cut."""
    return (Path(saved_model) / "assets/vocabulary.txt").read_bytes().decode("utf-8").split("\n")[1:-1]


def _have_marks(words):
    """Whether punctuation marks are among the words of a vocabulary. Spaces, and what stays inside words, are so of characters too."""
    return any(word.strip(" \u2581'-") and not any(c.isalnum() for c in word) for word in words)


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


def _switch(name, value):
    # numpy's too, as MLflow makes them.
    if type(value).__name__ not in ("bool", "bool_"):
        _refuse(f"{name} = {_shown(value)}: must be true or false")
    return bool(value)


def _samples(prompts, samples, beam_width):
    samples = _whole("samples", samples, 1, MOST_TEXTS)
    beam_width = _whole("beam_width", beam_width, 1, MOST_TEXTS)
    if 1 < beam_width < samples:
        _refuse(f"samples = {samples} with beam_width = {beam_width}: must be at most beam_width, they are the best of the beam")
    name, most = ("beam_width", beam_width) if beam_width > 1 else ("samples", samples)
    if prompts * most > MOST_TEXTS:
        _refuse(f"{name} = {most} with {prompts} prompts makes {prompts * most} texts at once: must be at most {MOST_TEXTS} in a request")
    return samples, beam_width


mlflow.models.set_model(ServedModel())
