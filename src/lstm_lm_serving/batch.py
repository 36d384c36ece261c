"""The rows of the running batch as tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_lm_serving import loops
from lstm_lm_serving.rows import Generated, Row
from lstm_lm_serving.saved_model import Floats, Ints, SavedModel

NO_WORD = -1


class Batch:
    """The rows that are generated together. Rows come and go between two chunks; their state is kept in order and compact.

    As long as the rows stay the same, the tensors that one chunk returns are what the next one starts from, and the options are not
    converted again.

    Attributes:
        rows: in their order.
        loop: the name of the loop that generates them.
        looks_back: whether any of them needs the words so far.
    """

    def __init__(self, model: SavedModel) -> None:
        self._model = model
        self.rows: list[Row] = []
        self._state: Any = np.zeros(self._state_shape(0), np.float32)
        self._last: Any = None
        self._history: Any = None
        self._position: Ints = np.zeros(0, np.int32)
        self._left: Ints = np.zeros(0, np.int32)
        self.loop = loops.GENERAL
        self._constants: dict[str, Any] = {}  # what stays the same as long as the rows do
        self._stops_at_end: list[bool] = []
        self._top = -1
        self.looks_back = False

    @property
    def words_left(self) -> list[int]:
        """How many words each row may still generate."""
        left: list[int] = self._left.tolist()
        return left

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Let rows be the batch. A row that leaves it takes its state along."""
        before, state = {row: place for place, row in enumerate(self.rows)}, np.asarray(self._state)
        after = set(rows)
        for row, place in before.items():
            if row not in after and row.is_needed:
                row.state = state[:, :, place].copy()
        self._state = self._compact(rows, before, state)
        self.rows = list(rows)
        if rows:
            self._convert()

    def decode(self, steps: int) -> list[Generated]:
        """Generate up to so many words for each row."""
        most = np.minimum(self._left, steps).astype(np.int32)
        changing = {"last": self._last, "state": self._state, "history": self._history, "position": self._position, "max_words": most}
        result = self._model.decode(self.loop, {**self._constants, **changing})
        self._state, self._last = result["state"], result["last"]
        if self.looks_back:
            self._history = result["history"]
        words: Ints = result["words"].numpy()
        counts = (words > 0).sum(axis=1)
        self._position = (self._position + counts).astype(np.int32)
        self._left = (self._left - counts).astype(np.int32)
        return self._generated(result, words, counts, most)

    def _generated(self, result: dict[str, Any], words: Ints, counts: Any, most: Ints) -> list[Generated]:
        ends = self._model.sentence_ends
        texts, lists, numbers = result["texts"].numpy(), words.tolist(), counts.tolist()
        if self._top >= 0:
            probabilities, top_words, top_probabilities = (
                result[name].numpy() for name in ("log_probabilities", "top_words", "top_log_probabilities")
            )
        generated = []
        for place, (text, ids, count, allowed) in enumerate(zip(texts, lists, numbers, most.tolist(), strict=True)):
            has_ended = count < allowed or (self._stops_at_end[place] and count > 0 and ids[count - 1] in ends)
            string, top = text.decode("utf-8", errors="replace"), self.rows[place].prompt.top
            if top < 0:
                generated.append(Generated(string, ids[:count], has_ended))
                continue
            most_probable = top_words[place, :count, :top], top_probabilities[place, :count, :top]
            generated.append(Generated(string, ids[:count], has_ended, probabilities[place, :count], most_probable))
        return generated

    def _state_shape(self, rows: int) -> tuple[int, int, int, int]:
        layers, parts, hidden = self._model.state_shape
        return layers, parts, rows, hidden

    def _compact(self, rows: Sequence[Row], before: dict[Row, int], state: Floats) -> Floats:
        """Return the state of rows, some of which are in the batch and some of which bring theirs along."""
        new = np.empty(self._state_shape(len(rows)), np.float32)
        staying = [(place, before[row]) for place, row in enumerate(rows) if row in before]
        if staying:
            places, old = zip(*staying, strict=True)
            new[:, :, list(places)] = state[:, :, list(old)]
        for place, row in enumerate(rows):
            if row not in before:
                new[:, :, place] = row.state
                row.state = None
        return new

    def _convert(self) -> None:
        """Make tensors of what belongs to the rows."""
        constant, rows = self._model.tf.constant, self.rows
        self._last = np.array([row.last for row in rows], np.int32)
        self._position = np.array([row.position for row in rows], np.int32)
        self._left = np.array([row.words_left for row in rows], np.int32)
        keys = np.array([row.key for row in rows], np.int64)
        prompts = [row.prompt for row in rows]
        types = self._model.word_options
        options: dict[str, Any] = {name: np.array([prompt.options[name] for prompt in prompts], types[name]) for name in types}
        if not self._model.sentence_ends:
            options["stop_at_sentence_end"][:] = False
        self._stops_at_end = [prompt.options["stop_at_sentence_end"] for prompt in prompts]
        self._top = max(prompt.top for prompt in prompts)
        entries = max(len(prompt.checked.bias) for prompt in prompts)
        ids, values = np.zeros([len(rows), entries], np.int32), np.zeros([len(rows), entries], np.float32)
        for place, prompt in enumerate(prompts) if entries else ():
            if bias := prompt.checked.bias:
                ids[place, : len(bias)], values[place, : len(bias)] = list(bias), list(bias.values())
        extras = {"bias_ids": ids, "bias_values": values, "top": np.array(self._top, np.int32)}
        self.loop = loops.GENERAL if entries or self._top >= 0 else loops.fastest(self._model.table, options)
        self._constants = {name: constant(array) for name, array in {"keys": keys, **options, **extras}.items()}
        self.looks_back = any(prompt.looks_back for prompt in prompts)
        self._history = self._align_history()

    def _align_history(self) -> Any:
        """Return int32 [rows, longest], the words so far of the rows that look back, at the right; [rows, 0] if none does."""
        longest = max((len(row.history) for row in self.rows if row.history is not None), default=0)
        history = np.full([len(self.rows), longest], NO_WORD, np.int32)
        for place, row in enumerate(self.rows):
            if row.history:
                history[place, longest - len(row.history) :] = row.history
        return self._model.tf.constant(history)
