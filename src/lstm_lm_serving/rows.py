"""The rows of the decode loop: each is one text that is being generated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from lstm_lm_serving.output import Output, RawWords
from lstm_lm_serving.stops import StopMatcher
from lstm_lm_serving.texts import FinishReason

if TYPE_CHECKING:
    from lstm_lm_serving.requests import Prompt
    from lstm_lm_serving.saved_model import Floats, Ints


class Generated(NamedTuple):
    """What one call of the decode loop has generated for one row.

    Attributes:
        text: to append.
        words: ids, as many as were generated.
        has_ended: the model has ended the text.
        log_probabilities: float32 [words], if they were computed.
        top: int32 and float32 [words, any], the most probable words in the place of each word, and their log probabilities.
    """

    text: str
    words: Sequence[int]
    has_ended: bool
    log_probabilities: Floats | None = None
    top: tuple[Ints, Floats] | None = None


class Row:
    """One text that is being generated. Between two chunks it may leave the batch and come back later: all it needs is here.

    Attributes:
        prompt: that it continues.
        output: where its text goes.
        position: number of words generated.
        state: float32 [layers, 2, hidden] as it was after the last chunk, unless the row is in the batch.
        last: id of the last word.
        key: what its random numbers depend on besides the seed.
        history: ids of all words of prompt and text, if an option looks back.
    """

    __slots__ = ("_drops_space", "_matcher", "history", "key", "last", "output", "position", "prompt", "state")

    def __init__(self, prompt: Prompt, output: Output) -> None:
        self.prompt = prompt
        self.output = output
        self.position = 0
        self.state: Floats | None = None
        self.last = 0
        self.key = 0
        self.history: list[int] | None = None
        self._matcher = StopMatcher(prompt.stop) if prompt.stop else None
        self._drops_space = prompt.checked.drops_space

    @property
    def words_left(self) -> int:
        """How many words it may still generate."""
        left: int = self.prompt.options["max_words"] - self.position
        return left

    @property
    def is_needed(self) -> bool:
        """Whether anybody waits for more of its words."""
        return self.output.reason is None and not self.prompt.request.stream.has_ended

    def accept(self, generated: Generated) -> FinishReason | None:
        """Add the words of a chunk. Returns why the text is complete, or None if it is not."""
        words, count = generated.words, len(generated.words)
        self.position += count
        if self.history is not None:
            self.history.extend(words)
        if count:
            self.last = words[-1]
        text, reason = generated.text, self._reason(generated)
        if self._drops_space and text:
            text, self._drops_space = text.removeprefix(" "), False
        if self._matcher is not None:
            text, was_found = self._matcher.push(text)
            if was_found:
                reason = "stop"
            elif reason is not None:
                text += self._matcher.finish()
        self.prompt.add(self, text, count, reason, self._raw(generated) if self.prompt.needs_words else None)
        return reason

    def _raw(self, generated: Generated) -> RawWords:
        if generated.log_probabilities is None or generated.top is None:
            return RawWords(generated.words)
        return RawWords(generated.words, generated.log_probabilities, *generated.top)

    def _reason(self, generated: Generated) -> FinishReason | None:
        if generated.has_ended:
            return "stop"
        return "length" if self.words_left <= 0 else None
