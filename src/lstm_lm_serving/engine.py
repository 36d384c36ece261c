"""The engine: one thread with one decode loop, in which the texts of all requests are rows of one batch."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lstm_lm_serving import budget, checks, speed
from lstm_lm_serving.alignment import Spacing
from lstm_lm_serving.budget import Load
from lstm_lm_serving.counters import Counters
from lstm_lm_serving.decode_loop import DecodeLoop
from lstm_lm_serving.errors import Busy, Closed, Refused
from lstm_lm_serving.limits import Limits
from lstm_lm_serving.requests import Checked, Request
from lstm_lm_serving.saved_model import SavedModel, has_punctuation
from lstm_lm_serving.scorer import Scorer
from lstm_lm_serving.stream import Stream, submitted
from lstm_lm_serving.texts import NextWords, Score, Statistics, Text

THREAD = "lstm_lm engine"
IDLE_SECONDS = 30.0  # after which the thread ends, until the next request
EXPIRE_SECONDS = 0.05  # between two looks at the deadlines


class Engine:
    """Generates the texts of all requests together (continuous batching). All methods may be called from any thread.

    Attributes:
        table: the table of generation options, as in assets/generation_options.json of the SavedModel.
        vocabulary: the words by their ids.
        limits: of requests.
    """

    _condition: threading.Condition
    _calls: list[Callable[[], None]]
    _requests: set[Request]
    _thread: threading.Thread | None

    def __init__(self, saved_model: str | Path, limits: Limits | None = None, warm_up: bool = True) -> None:
        """Load the SavedModel. The thread starts with the first request.

        Args:
            saved_model: folder.
            limits: of requests; None: the defaults.
            warm_up: measure its speed, so that the first requests are not slower than the others, and none is accepted that takes too
                long. This takes some seconds, which are for nothing where a few texts are generated and nobody waits.
        """
        self.limits = limits or Limits()
        self._model = SavedModel(saved_model)
        self.table = self.limits.applied_to(self._model.table)
        self.vocabulary = self._model.vocabulary
        self._spacing = Spacing.read(saved_model)
        self._punctuation_is_enough = has_punctuation(self.vocabulary)
        self._speed = speed.measure(self._model, self.limits.max_rows) if warm_up else speed.assumed()
        self._counters = Counters()
        self._is_closed = False
        self._has_warned = False
        self._start_afresh()
        _reset_after_fork(self)

    @property
    def sentence_ends(self) -> list[str]:
        """The words after which the option stop_at_sentence_end ends a text; without any, it has no effect."""
        return [word for word in self.table["sentence_ends"] if word in self._model.ids]

    def submit(self, texts: Sequence[Text], deadline: float | None = None) -> Stream:
        """Start to generate texts.

        Args:
            texts: at least one.
            deadline: seconds from now until all texts must be complete; None: `limits.deadline_s`.
        Raises:
            Refused: something is not allowed, or cannot be done before the deadline: one line.
            Busy: too much is queued.
            Closed: the engine was closed.
        """
        seconds = self.limits.deadline_s if deadline is None else deadline
        try:
            checked = self.check(texts)
            with self._condition:
                requests = list(self._requests)
            estimated = self._check_load(checked, seconds, requests)
        except Refused:
            self._counters.add(refused=1)
            raise
        request = Request(checked, time.monotonic() + seconds, self.vocabulary.__getitem__, self._spacing)
        request.stream.estimated_seconds = estimated
        request.stream.on_cancel(partial(self._post, partial(self._loop.drop, request)))
        with self._condition:
            if self._is_closed:
                raise Closed("the engine was closed")
            self._requests.add(request)
        self._counters.add(accepted=1)
        self._warn_without_effect(checked)
        if (streams := submitted.get()) is not None:
            streams.append(request.stream)
        self._post(partial(self._loop.add, request))
        return request.stream

    def check(self, texts: Sequence[Text]) -> list[Checked]:
        """Check all that can be checked without generating anything.

        Raises:
            Refused: something is not allowed.
        """
        prompts = checks.check_prompts([text.prompt for text in texts], self.table, self._punctuation_is_enough)
        options: dict[int, dict[str, Any]] = {}  # of a table of prompts, all rows have the same
        for text in texts:
            if id(text.options) not in options:
                options[id(text.options)] = checks.check_options(text.options, self.table)
        checked = [self._check_text(text, prompt, options[id(text.options)]) for text, prompt in zip(texts, prompts, strict=True)]
        budget.check_size(checked, self.limits, self.table)
        return checked

    def score(self, text: str, tokenize: Callable[[str], Sequence[str]], should_stop: Callable[[], bool] = lambda: False) -> Score:
        """Score a text of any allowed length piece by piece, in the caller's thread: several texts at once take turns.

        Args:
            text: of at most `limits.max_score_characters`.
            tokenize: splits it as the model does.
            should_stop: asked again and again.
        Raises:
            Refused: the text is empty or too long.
            Cancelled: `should_stop` was true.
            Closed: the engine was closed.
        """
        limited = {**self.table, "max_prompt_characters": self.limits.max_score_characters}
        [checked] = checks.check_prompts([text], limited, self._punctuation_is_enough)

        def is_over() -> bool:
            if self._is_closed:
                raise Closed("the engine was closed")
            return should_stop()

        return self._scorer.score(tokenize(checked.decode()), is_over)

    def next_words(self, prompts: Sequence[str], k: int) -> list[NextWords]:
        """Return the k most probable next words after each prompt, in the caller's thread.

        Raises:
            Refused: a prompt or k is not allowed.
        """
        checked = checks.check_prompts(prompts, self.table, self._punctuation_is_enough)
        return self._model.next_words(checked, checks.check_number("k", k, 1, len(self.vocabulary) - 1))

    def statistics(self) -> Statistics:
        """Return counters and gauges."""
        loop, values = self._loop, self._counters.values()
        with self._condition:
            requests = len(self._requests)
        return Statistics(
            rows=loop.rows,
            max_rows=self.limits.max_rows,
            waiting=loop.waiting,
            requests=requests,
            step_seconds=dict(self._speed.step_seconds),
            **values,  # type: ignore[arg-type]
        )

    def close(self) -> None:
        """End the thread. Requests that are not complete end with `Closed`. Waits until it has ended."""
        with self._condition:
            self._is_closed = True
            thread = self._thread
            self._condition.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._loop.close()
        for request in list(self._requests):
            request.stream.fail(Closed("the engine was closed"))
            self._forget(request)

    def _check_text(self, text: Text, prompt: bytes, options: dict[str, Any]) -> Checked:
        limits, samples = self.limits, options["samples"]
        is_beam_search = options["beam_width"] > 1
        if text.logprobs is not None:
            checks.check_number("logprobs", text.logprobs, 0, min(limits.max_logprobs, len(self.vocabulary) - 1))
        best_of = checks.check_number("best_of", text.best_of, 0, limits.max_texts_per_request) or samples
        if best_of < samples:
            raise checks.refused(f"best_of = {best_of} with samples = {samples}: must be at least as many", "best_of")
        bias = checks.check_bias(text.logit_bias, self._model.ids, limits.max_bias)
        if is_beam_search and (text.logprobs is not None or best_of > samples or bias):
            message = f"beam_width = {options['beam_width']}: logprobs, best_of and logit_bias are for sampled texts only"
            raise checks.refused(message, "beam_width")
        stops = checks.check_stops(text.stop, limits.max_stops, limits.max_stop_characters)
        looks_back = checks.looks_back(options, self.table)
        return Checked(text, prompt, self._model.strip(prompt), options, stops, best_of, bias, looks_back)

    def _warn_without_effect(self, texts: Sequence[Checked]) -> None:
        """Log once that an option has no effect with this model."""
        if self._has_warned or self.sentence_ends or not any(text.options["stop_at_sentence_end"] for text in texts):
            return
        self._has_warned = True
        ends = " ".join(self.table["sentence_ends"])
        logging.getLogger(__name__).warning(f"stop_at_sentence_end has no effect: none of {ends} is a word of this model")

    def _check_load(self, checked: Sequence[Checked], seconds: float, requests: Sequence[Request]) -> float:
        if len(requests) >= self.limits.max_queued_requests:
            answered = f"{checks.counted(len(requests), 'request')} {'is' if len(requests) == 1 else 'are'} being answered"
            raise Busy(f"{answered}: must be at most {self.limits.max_queued_requests}", retry_after=1.0)
        searching = sum(budget.beam_seconds([prompt.checked for prompt in request.prompts], self._speed) for request in requests)
        texts, words = (sum(getattr(request, name) for request in requests) for name in ("rows_left", "words_left"))
        load = Load(len(requests), texts, words, searching)
        return budget.check_time(checked, seconds, load, self._speed, self.limits.max_rows)

    def _post(self, call: Callable[[], None]) -> None:
        """Call a function in the engine's thread, which is started if need be."""
        with self._condition:
            self._calls.append(call)
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
                self._thread.start()
            self._condition.notify()

    def _run(self) -> None:
        """Work until there is nothing to do for a while."""
        loop, next_look = self._loop, 0.0
        while calls := self._wait_for_work(loop):
            try:
                for call in calls:
                    call()
                if time.monotonic() >= next_look:
                    loop.expire()
                    next_look = time.monotonic() + EXPIRE_SECONDS
                loop.run_once()
            except Exception as error:
                logging.getLogger(__name__).exception("the decode loop has failed")
                loop.fail(Closed(f"the decode loop has failed: {type(error).__name__}"))

    def _wait_for_work(self, loop: DecodeLoop) -> list[Callable[[], None]]:
        """Wait, and return the functions to call, at least one; none if the thread is to end."""
        with self._condition:
            while not (self._calls or loop.has_work or self._is_closed):
                deadline = loop.next_deadline
                seconds = IDLE_SECONDS if deadline is None else min(deadline - time.monotonic(), IDLE_SECONDS)
                if seconds <= 0 or (not self._condition.wait(seconds) and deadline is None):
                    break
            calls, self._calls = self._calls, []
            if self._is_closed or not (calls or loop.has_work or loop.requests):
                self._thread = None
                return []
            return calls or [_do_nothing]

    def _forget(self, request: Request) -> None:
        with self._condition:
            self._requests.discard(request)

    def _start_afresh(self) -> None:
        self._condition = threading.Condition()
        self._calls = []
        self._requests = set()
        self._thread = None
        self._scorer = Scorer(self._model)
        self._loop = DecodeLoop(self._model, self.limits, self._speed, self._counters, self._post, self._forget)


def _do_nothing() -> None:
    pass


def _reset_after_fork(engine: Engine) -> None:
    """In a forked process there are no threads: the engine starts afresh there."""
    reference = weakref.ref(engine)

    def reset() -> None:
        if (engine := reference()) is not None:
            engine._start_afresh()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)
