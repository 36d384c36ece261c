"""A request inside the engine: its prompts, its rows, and how much of it is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lstm_lm_serving.alignment import WORDS, Aligner, Spacing, Token
from lstm_lm_serving.output import Output, RawWords
from lstm_lm_serving.rows import Row
from lstm_lm_serving.stream import Stream
from lstm_lm_serving.texts import FinishReason, PromptFacts, Text


@dataclass(frozen=True)
class Checked:
    """A `Text` whose values are allowed.

    Attributes:
        text: as it was submitted.
        prompt: in UTF-8.
        beginning: the prompt as texts start with it.
        options: all of them.
        stop, best_of: as in `Text`; best_of is at least the samples.
        bias: {id: added to its logit}.
        looks_back: whether an option needs the words so far.
    """

    text: Text
    prompt: bytes
    beginning: str
    options: Mapping[str, Any]
    stop: tuple[str, ...]
    best_of: int
    bias: Mapping[int, float] = field(default_factory=dict)
    looks_back: bool = False

    @property
    def is_beam_search(self) -> bool:
        """Whether nothing is sampled, and the decode loop takes no part in it."""
        return bool(self.options["beam_width"] > 1)

    @property
    def drops_space(self) -> bool:
        """Whether the text is appended to a prompt that ends with a space, so that it does not start with another."""
        return not self.text.echo and self.text.prompt[-1:].isspace()

    @property
    def rows(self) -> int:
        """Rows that it takes in a batch."""
        return int(self.options["beam_width"]) if self.is_beam_search else self.best_of

    @property
    def words(self) -> int:
        """Words that it generates at most."""
        return self.rows * int(self.options["max_words"])


class Prompt:
    """One text of a request while it is worked on.

    Attributes:
        request: that it belongs to.
        index: of the text in the request.
        text, checked, options, stop: from `Checked`.
        rows: of the decode loop; empty for a beam search.
        ranks: only the best ones of its texts are returned, at the end.
        looks_back: see `Checked`.
    """

    def __init__(self, request: Request, index: int, checked: Checked, word_of: Callable[[int], str], spacing: Spacing) -> None:
        self.request = request
        self.index = index
        self.checked = checked
        self.text = checked.text
        self.options = checked.options
        self.stop = checked.stop
        self.looks_back = checked.looks_back
        samples = self.options["samples"]
        self.ranks = checked.best_of > samples and not checked.is_beam_search
        self.outputs = [self._output(sample, word_of, spacing) for sample in range(samples)]
        of_rows = [self._output(sample, word_of, spacing) for sample in range(checked.best_of)] if self.ranks else self.outputs
        self._unranked: list[Row] = []
        self.rows = [] if checked.is_beam_search else [Row(self, output) for output in of_rows]

    def _output(self, sample: int, word_of: Callable[[int], str], spacing: Spacing) -> Output:
        aligner = Aligner(drops_space=self.checked.drops_space, spacing=spacing) if self.needs_words else None
        is_sampled = not self.checked.is_beam_search  # a beam search counts its words itself
        return Output(self.index, sample, word_of, aligner, self.text.logprobs is not None, bool(self.stop) and is_sampled)

    @property
    def needs_words(self) -> bool:
        """Whether the words of its texts are needed one by one: they are asked for, ranked, or to be counted up to a stop string."""
        return (self.text.logprobs is not None or bool(self.stop) or self.ranks) and not self.checked.is_beam_search

    @property
    def top(self) -> int:
        """Most probable words to compute beside each word; 0: only its own probability; -1: none."""
        if self.text.logprobs is None:
            return 0 if self.ranks else -1
        return self.text.logprobs

    def start(self, facts: PromptFacts, tokens: Sequence[Token]) -> None:
        """Note that the prompt is read. With `echo`, all texts start with it; its tokens are given if words were asked for."""
        self.request.stream.prompts[self.index] = facts
        if self.text.echo:
            for output in [row.output for row in self.rows] or self.outputs:
                output.start_with_prompt(self.checked.beginning, tokens)

    def add(self, row: Row, text: str, count: int, reason: FinishReason | None, raw: RawWords | None) -> None:
        """Add to a text; at the end of all of them, return the best ones."""
        if not self.ranks:
            self.request.stream.add(row.output, text, count, reason, raw)
            return
        row.output.add(text, count, reason, raw)
        if reason is None:
            return
        self._unranked.append(row)
        if len(self._unranked) == len(self.rows):
            best = sorted(self._unranked, key=lambda row: (-row.output.mean_log_probability(), row.output.sample))
            kept = [row.output for row in best[: len(self.outputs)]]
            for sample, output in enumerate(kept):
                output.sample = sample
            self.request.stream.replace(self.outputs, kept)


class Request:
    """One request while it is worked on. Only the engine's thread touches it, but for `stream`.

    Attributes:
        stream: its answer.
        deadline: on the clock of time.monotonic.
        prompts: all of them.
        unread: short prompts whose rows have no state yet, in order.
        unread_rows: how many rows these are.
        ready: rows that are not in the batch but could be: those that were in it before come first.
        running: rows in the batch.
        rows_left: rows that are not complete.
        service: words that were generated for it.
        turn: orders the requests of equal service.
        words: that it generates at most.
    """

    def __init__(self, texts: Sequence[Checked], deadline: float, word_of: Callable[[int], str], spacing: Spacing = WORDS) -> None:
        self.deadline = deadline
        self.prompts = [Prompt(self, index, text, word_of, spacing) for index, text in enumerate(texts)]
        self.unread: deque[Prompt] = deque()
        self.unread_rows = 0
        self.ready: deque[Row] = deque()
        self.running: dict[Row, None] = {}
        self.rows_left = sum(len(prompt.rows) for prompt in self.prompts)
        self.service = 0
        self.turn = 0
        self.words = sum(text.words for text in texts)
        self.stream = Stream(len(texts))
        self.stream.open([output for prompt in self.prompts for output in prompt.outputs])

    @property
    def demand(self) -> int:
        """How many rows of the batch it could use."""
        return len(self.running) + len(self.ready) + self.unread_rows

    @property
    def words_left(self) -> int:
        """Words that it may still generate."""
        return max(self.words - self.service, 0)

    def take_rows(self, share: int) -> list[Row]:
        """Return its rows in the batch from now on. Those that are in it stay if they may; others make room."""
        surplus = list(self.running)[share:]
        for row in reversed(surplus):
            del self.running[row]
            self.ready.appendleft(row)
        while len(self.running) < share and self.ready:
            self.running[self.ready.popleft()] = None
        return list(self.running)
