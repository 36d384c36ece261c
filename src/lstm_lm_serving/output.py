"""One text of a request while it is generated: what the engine has added to it, and what its reader has seen of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lstm_lm_serving.alignment import Aligner, Token
from lstm_lm_serving.texts import Completion, FinishReason, Piece, Word


class RawWords(NamedTuple):
    """Words as the decode loop returns them: most of the work of making `Word`s of them is left to the reader's thread.

    Attributes:
        ids: of the words.
        log_probabilities: of each of them.
        top: for each of them, the ids of the most probable words and their log probabilities.
    """

    ids: Sequence[int]
    log_probabilities: Sequence[float]
    top: Sequence[tuple[Sequence[int], Sequence[float]]]


class Output:
    """A text in the making. Not thread-safe: the stream's lock is held around each call.

    Attributes:
        text, sample: as in `Piece`.
        reason: None until the text is complete.
    """

    def __init__(self, text: int, sample: int, word_of: Callable[[int], str], aligner: Aligner | None) -> None:
        """Start an empty text.

        Args:
            text, sample: as in `Piece`.
            word_of: returns the word of an id.
            aligner: if the words are asked for, not only the text.
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
            aligner = Aligner(is_prompt=True)
            aligner.add(tokens)
            self._words = aligner.take(prompt, is_last=True)
            self._parts_aligned = 1
            self._aligner = Aligner(len(prompt), drops_space=prompt.endswith("\n"))

    def next_piece(self) -> Piece | None:
        """Return what came since the piece before; None if nothing did."""
        self._align()
        new_text = "".join(self._parts[self._parts_seen :])
        words = tuple(self._words[self._words_seen :])
        count = self._count - self._count_seen
        reason = None if self._reason_seen else self.reason
        if not (new_text or words or count or reason):
            return None
        self._parts_seen, self._words_seen, self._count_seen = len(self._parts), len(self._words), self._count
        self._reason_seen = self.reason is not None
        return Piece(self.text, self.sample, new_text, count, words, reason)

    def completion(self) -> Completion:
        """Return the complete text."""
        assert self.reason is not None
        self._align()
        return Completion(self.text, self.sample, "".join(self._parts), self._count, tuple(self._words), self.reason)

    def _align(self) -> None:
        if self._aligner is None:
            return
        for raw in self._raw:
            self._aligner.add([self._token(raw, place) for place in range(len(raw.ids))])
        self._raw.clear()
        text = "".join(self._parts[self._parts_aligned :])
        self._parts_aligned = len(self._parts)
        self._words += self._aligner.take(text, is_last=self.reason is not None)

    def _token(self, raw: RawWords, place: int) -> Token:
        top = tuple((self._word_of(id), probability) for id, probability in zip(*raw.top[place], strict=True)) if raw.top else ()
        return Token(self._word_of(raw.ids[place]), raw.log_probabilities[place], top)
