"""One text of a request while it is generated: what the engine has added to it, and what its reader has seen of it."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lm_serving.alignment import Aligner, Token
from lstm_lm_serving.texts import Completion, FinishReason, Piece, Word


class RawWords(NamedTuple):
    """Words as the decode loop returns them: most of the work of making `Word`s of them is left to the reader's thread.

    Attributes:
        ids: of the words.
        log_probabilities: float32 [words]; None: they were not computed.
        top: int32 [words, any], ids of the most probable words in the place of each word.
        top_log_probabilities: float32 [words, any].
    """

    ids: Sequence[int]
    log_probabilities: npt.NDArray[np.float32] | None = None
    top: npt.NDArray[np.int32] = np.zeros([0, 0], np.int32)
    top_log_probabilities: npt.NDArray[np.float32] = np.zeros([0, 0], np.float32)


class Output:
    """A text in the making. Not thread-safe: the stream's lock is held around each call.

    Attributes:
        text, sample: as in `Piece`.
        reason: None until the text is complete.
    """

    def __init__(
        self,
        text: int,
        sample: int,
        word_of: Callable[[int], str],
        aligner: Aligner | None,
        shows_words: bool = True,
        may_stop: bool = False,
    ) -> None:
        """Start an empty text.

        Args:
            text, sample: as in `Piece`.
            word_of: returns the word of an id.
            aligner: if the words are needed, not only the text.
            shows_words: whether the pieces hold the words.
            may_stop: a stop string may end the text; this needs an aligner, to count the words before it.
        """
        self.text = text
        self.sample = sample
        self.reason: FinishReason | None = None
        self._word_of = word_of
        self._parts: list[str] = []
        self._count = 0
        self._aligner = aligner
        self._raw: list[RawWords] = []
        self._words: list[Word] = []  # that are aligned
        self._prompt_words = 0  # of these
        self._shows_words = shows_words
        self._may_stop = may_stop
        self._parts_seen = self._count_seen = self._words_seen = self._parts_aligned = 0
        self._reason_seen = False

    def add(self, text: str, count: int, reason: FinishReason | None, raw: RawWords | None = None) -> None:
        """Add what was generated."""
        if text:
            self._parts.append(text)
        self._count += count
        self.reason = reason
        if raw is not None:
            self._raw.append(raw)

    def start_with_prompt(self, prompt: str, tokens: Sequence[Token]) -> None:
        """Let the text start with the prompt, of which the tokens are given if the words are asked for."""
        self._parts.append(prompt)
        if self._aligner is not None:
            aligner = Aligner(is_prompt=True, spacing=self._aligner.spacing)
            aligner.add(tokens)
            self._words = aligner.take(prompt, is_last=True)
            self._prompt_words = len(self._words)
            self._parts_aligned = 1
            previous = tokens[-1].token if tokens else ""
            self._aligner = Aligner(len(prompt), False, prompt.endswith("\n"), aligner.spacing, previous)

    def next_piece(self) -> Piece | None:
        """Return what came since the piece before; None if nothing did."""
        self._align()
        new_text = "".join(self._parts[self._parts_seen :])
        words = tuple(self._words[self._words_seen :]) if self._shows_words else ()
        generated = self._generated()
        count = generated - self._count_seen
        reason = None if self._reason_seen else self.reason
        if not (new_text or words or count or reason):
            return None
        self._parts_seen, self._words_seen, self._count_seen = len(self._parts), len(self._words), generated
        self._reason_seen = self.reason is not None
        return Piece(self.text, self.sample, new_text, count, words, reason)

    def completion(self) -> Completion:
        """Return the complete text."""
        assert self.reason is not None
        self._align()
        words = tuple(self._words) if self._shows_words else ()
        return Completion(self.text, self.sample, "".join(self._parts), self._generated(), words, self.reason)

    def mean_log_probability(self) -> float:
        """Return that of the generated words of a complete text, which was computed for each of them; of no words, the least."""
        self._align()
        values = [word.log_probability or 0.0 for word in self._words[self._prompt_words :]]
        return sum(values) / len(values) if values else -math.inf

    def _generated(self) -> int:
        """Return the number of words that were generated and are in the text."""
        if self._may_stop and self.reason != "length":
            return len(self._words) - self._prompt_words
        return self._count

    def _align(self) -> None:
        if self._aligner is None:
            return
        for raw in self._raw:
            self._aligner.add(self._tokens(raw))
        self._raw.clear()
        text = "".join(self._parts[self._parts_aligned :])
        self._parts_aligned = len(self._parts)
        self._words += self._aligner.take(text, is_last=self.reason is not None)

    def _tokens(self, raw: RawWords) -> list[Token]:
        if raw.log_probabilities is None:
            return [Token(self._word_of(id), None) for id in raw.ids]
        columns = raw.ids, raw.log_probabilities.tolist(), raw.top.tolist(), raw.top_log_probabilities.tolist()
        return [
            Token(self._word_of(id), probability, tuple((self._word_of(other), value) for other, value in zip(top, values, strict=True)))
            for id, probability, top, values in zip(*columns, strict=True)
        ]
