"""Work beside the decode loop, which it would hold up: long prompts, and beam searches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from lstm_lm_serving import reading
from lstm_lm_serving.background import Background
from lstm_lm_serving.reading import ReadPrompt
from lstm_lm_serving.requests import Prompt, Request
from lstm_lm_serving.saved_model import SavedModel
from lstm_lm_serving.stops import stop

AFTER_READING = 1e9  # cost of the first search of a request: behind all long prompts


class Results(Protocol):
    """Takes what was done, in the engine's thread."""

    def take_read(self, request: Request, prompts: Sequence[ReadPrompt]) -> None:
        """Take prompts that were read."""

    def take_texts(self, request: Request, prompt: ReadPrompt, texts: Sequence[tuple[str, int]]) -> None:
        """Take the texts of a beam search, each with its number of words."""

    def take_failure(self, request: Request, error: Exception) -> None:
        """End a request that cannot be done."""


class Aside:
    """Does it in a thread of its own: long prompts first, then beam searches, one prompt at a time; requests take turns."""

    def __init__(self, model: SavedModel, post: Callable[[Callable[[], None]], None], results: Results) -> None:
        """Start without any work.

        Args:
            model: the SavedModel.
            post: calls a function in the engine's thread.
            results: takes what was done.
        """
        self._model = model
        self._post = post
        self._results = results
        self._background = Background()

    def read(self, request: Request, prompts: Sequence[Prompt]) -> None:
        """Read long prompts of a request."""
        for number, group in enumerate(reading.groups(prompts, reading.MAX_READ_WORDS)):
            self._put(number, request, partial(self._read, request, group))

    def search(self, request: Request, prompts: Sequence[Prompt]) -> None:
        """Continue prompts of a request by beam searches."""
        for number, prompt in enumerate(prompts):
            self._put(AFTER_READING + number, request, partial(self._search, request, prompt))

    def close(self) -> None:
        """Forget what waits."""
        self._background.clear()

    def _put(self, cost: float, request: Request, work: Callable[[], Callable[[], None]]) -> None:
        def run() -> None:
            if request.stream.has_ended:
                return
            try:
                self._post(work())
            except Exception as error:
                logging.getLogger(__name__).exception("work beside the decode loop has failed")
                self._post(partial(self._results.take_failure, request, error))

        self._background.put(cost, run)

    def _read(self, request: Request, prompts: Sequence[Prompt]) -> Callable[[], None]:
        return partial(self._results.take_read, request, reading.read(self._model, prompts))

    def _search(self, request: Request, prompt: Prompt) -> Callable[[], None]:
        [read] = reading.read(self._model, [prompt])
        beginning = prompt.checked.beginning
        texts = [text[len(beginning) :] for text in self._model.generate(prompt.checked.prompt, prompt.options)]
        counted = [(text, self._count(prompt, text, int(read.read.words[0]))) for text in texts]
        return partial(self._results.take_texts, request, read, counted)

    def _count(self, prompt: Prompt, text: str, prompt_words: int) -> int:
        """Return the number of words of a text: what was asked for, unless it may have ended with a sentence or before a stop string."""
        most = int(prompt.options["max_words"])
        shown, was_stopped = stop(text, prompt.stop)
        if not (was_stopped or (prompt.options["stop_at_sentence_end"] and self._model.sentence_ends)):
            return most
        whole = self._model.prefill([(prompt.checked.beginning + shown).encode()], [1])
        return min(max(int(whole.words[0]) - prompt_words, 0), most)
