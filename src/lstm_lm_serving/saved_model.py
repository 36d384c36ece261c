"""The functions of the SavedModel that the engine calls, with NumPy arrays in place of tensors."""

import contextlib
import ctypes
import json
import os
import string
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lm_serving.checks import Table
from lstm_lm_serving.texts import NextWords, Score

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
WHITE_SPACE = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
WHITE_SPACE += "\u2028\u2029\u202f\u205f\u3000"


class Prompts(NamedTuple):
    """Prompts that were read; `rows` texts, the samples of a prompt side by side.

    Attributes:
        last: int32 [rows], the last word of each prompt.
        state: float32 [layers, 2, rows, hidden], the state before it.
        keys: int64 [rows], what a row's random numbers depend on besides its seed.
        history: int32 [rows, longest], the words of each prompt, padded on the left with -1.
        known: int32 [prompts], how many words are in the vocabulary.
        words: int32 [prompts], how many words there are.
    """

    last: Ints
    state: Floats
    keys: npt.NDArray[np.int64]
    history: Ints
    known: Ints
    words: Ints


class FlatFunction:
    """A function of the SavedModel that is called without TensorFlow's own checks: with many small tensors they take 1 ms.

    Attributes:
        inputs: the names of its arguments, those of dicts in their order.
    """

    def __init__(self, tf: Any, function: Any) -> None:
        """Take a function that was traced once.

        Args:
            tf: the module.
            function: of the loaded SavedModel; returns a dict.
        """
        [concrete] = function.concrete_functions
        self._tf = tf
        self._concrete = concrete
        self._captured = list(concrete.captured_inputs)
        self._types = [output.dtype for output in concrete.outputs]
        self._names = sorted(concrete.structured_outputs)
        self.inputs = _names(concrete.structured_input_signature[0])

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Call it with its tensors or arrays by their names; there may be others."""
        own = [tensors[name] for name in self.inputs]
        args = [*(self._tf.constant(tensor) if isinstance(tensor, np.ndarray) else tensor for tensor in own), *self._captured]
        outputs = self._tf.raw_ops.StatefulPartitionedCall(args=args, Tout=self._types, f=self._concrete)
        return dict(zip(self._names, outputs, strict=True))


class SavedModel:
    """A loaded SavedModel. All methods may be called from any thread.

    Attributes:
        table: of generation options.
        vocabulary: the words by their ids.
        ids: the ids of the words.
        sentence_ends: the ids of words that end a sentence.
        word_options: {name: NumPy type} of the options that apply to each word.
    """

    def __init__(self, folder: str | Path) -> None:
        """Load it from a folder."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # otherwise the first process takes a GPU's whole memory
        keep_freed_memory()
        import tensorflow as tf

        self.tf = tf
        self.table = read_options(folder)
        self.vocabulary = read_vocabulary(folder)
        self.ids = {word: number for number, word in enumerate(self.vocabulary)}
        self.sentence_ends = frozenset(self.ids[word] for word in self.table["sentence_ends"] if word in self.ids)
        self.has_newlines = read_tokenizer(folder).get("newlines", False)
        types = {"int": np.int32, "float": np.float32, "bool": np.bool_}
        self._types = {row["name"]: types[row["type"]] for row in self.table["options"]}
        self.word_options = {row["name"]: self._types[row["name"]] for row in self.table["options"] if not row["sets_rows"]}
        self.model = tf.saved_model.load(str(folder))
        self._prepared = self.model.prepare()
        self._prefill = FlatFunction(tf, self.model.prefill_prepared)
        self._loops = {name: FlatFunction(tf, self.model.loops[name]) for name in self.model.loops}
        shape = self.model.initial_state(tf.constant(1))["state"].shape
        self.state_shape = int(shape[0]), 2, int(shape[3])  # of one row, without its axis: layers, 2, hidden
        self._one_score = threading.Lock()

    def prefill(self, prompts: Sequence[bytes], samples: Sequence[int]) -> Prompts:
        """Read prompts, for so many samples each."""
        constant = self.tf.constant
        arguments = {"prompts": constant(list(prompts), self.tf.string), "samples": constant(list(samples), self.tf.int32)}
        read = self._prefill({**self._prepared, **arguments})
        return Prompts(**{name: read[name].numpy() for name in Prompts._fields})

    def decode(self, loop: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Generate the next words of rows with one of the SavedModel's `loops`.

        Args:
            loop: its name.
            tensors: by their names, tensors or arrays: all that the loop takes, but what is prepared.
        Returns:
            Tensors, as the SavedModel returns them.
        """
        return self._loops[loop]({**self._prepared, **tensors})

    def generate(self, prompt: bytes, options: Mapping[str, Any]) -> list[str]:
        """Continue one prompt, beam search included. Returns the prompt and the words after it, one text a sample."""
        vectors = {name: self.tf.constant([options[name]], self.tf.as_dtype(type)) for name, type in self._types.items()}
        return decoded(self.model.generate(self.tf.constant([prompt], self.tf.string), vectors)["texts"].numpy())

    def score(self, texts: Sequence[bytes]) -> list[Score]:
        """Score texts, one call at a time, so that many of them leave time for the decode loop."""
        scores = []
        with self._one_score:
            for text in texts:
                scored = self.model.score_texts(self.tf.constant([text], self.tf.string))
                ids = scored["ids"].numpy()[0]
                count = int((ids >= 0).sum())
                nats = tuple(None if np.isnan(n) else float(n) for n in scored["nats"].numpy()[0, :count])
                scores.append(Score(tuple(decoded(scored["tokens"].numpy()[0, :count])), tuple(ids[:count].tolist()), nats))
        return scores

    def next_words(self, prompts: Sequence[bytes], k: int) -> list[NextWords]:
        """Return the most probable next words after each prompt."""
        after = []
        with self._one_score:
            for prompt in prompts:
                values = self.model.next_words(self.tf.constant([prompt], self.tf.string), self.tf.constant(k, self.tf.int32))
                words, ids, probabilities = (values[name].numpy()[0] for name in ("words", "ids", "log_probabilities"))
                unknown = float(values["unknown"].numpy()[0])
                after.append(NextWords(tuple(decoded(words)), tuple(ids.tolist()), tuple(probabilities.tolist()), unknown))
        return after

    def strip(self, prompt: bytes) -> str:
        """Return a prompt as texts start with it: without white space around it, but for a newline at the end where newlines are words."""
        if not self.has_newlines:
            return prompt.strip(string.whitespace.encode()).decode("utf-8", errors="replace")
        return prompt.decode("utf-8", errors="replace").lstrip(WHITE_SPACE).rstrip(WHITE_SPACE.replace("\n", ""))


def _names(signature: Sequence[Any]) -> list[str]:
    """Return the names of a function's arguments: those of a dict are its keys, of which TensorFlow sorts the tensors."""
    return [name for argument in signature for name in (sorted(argument) if isinstance(argument, dict) else [argument.name])]


def decoded(texts: npt.NDArray[np.object_]) -> list[str]:
    """Return texts in UTF-8 as strings."""
    return [text.decode("utf-8", errors="replace") for text in texts]


def read_options(saved_model: str | Path) -> Table:
    """Read the table of generation options of a SavedModel."""
    table: Table = json.loads((Path(saved_model) / "assets/generation_options.json").read_text(encoding="utf-8"))
    return table


def read_tokenizer(saved_model: str | Path) -> dict[str, Any]:
    """Read the settings of a SavedModel's tokenizer."""
    settings: dict[str, Any] = json.loads((Path(saved_model) / "assets/tokenizer.json").read_text(encoding="utf-8"))
    return settings


def read_vocabulary(saved_model: str | Path) -> list[str]:
    """Read all words by their ids. Not by `splitlines`, which would also split at characters that are words here."""
    return (Path(saved_model) / "assets/vocabulary.txt").read_bytes().decode("utf-8").split("\n")[:-1]


def has_punctuation(words: Sequence[str]) -> bool:
    """Whether punctuation is among the words of a vocabulary, other than what a vocabulary of characters needs inside words."""
    return any(word.strip(" \u2581'-") and not any(c.isalnum() for c in word) for word in words if word != "<unk>")


def keep_freed_memory() -> None:
    """As lstm_lm.io.memory: glibc would return each large block to the system, which then zeroes the next one page by page."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        # M_MMAP_THRESHOLD, of which glibc before 2.35 takes no larger one than the second; M_TRIM_THRESHOLD.
        if mallopt(-3, 2**30) or mallopt(-3, 2**25):
            mallopt(-1, 2**30)
