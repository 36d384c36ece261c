"""The decode loop: reads prompts, shares the batch among the requests, generates, and hands out what was generated.

Only one thread may use it.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from lstm_lm_serving import reading, scheduling
from lstm_lm_serving.aside import Aside
from lstm_lm_serving.batch import Batch
from lstm_lm_serving.checks import counted
from lstm_lm_serving.counters import Counters
from lstm_lm_serving.errors import Cancelled, Closed, Expired, ServingError
from lstm_lm_serving.limits import Limits
from lstm_lm_serving.reading import ReadPrompt
from lstm_lm_serving.requests import Prompt, Request
from lstm_lm_serving.rows import Generated, Row
from lstm_lm_serving.saved_model import SavedModel
from lstm_lm_serving.speed import Speed
from lstm_lm_serving.stops import stop

TURN_SECONDS = 0.1  # after which rows leave the batch for those that wait


class DecodeLoop:
    """Works on all requests at once.

    Attributes:
        requests: that are not complete.
    """

    def __init__(
        self,
        model: SavedModel,
        limits: Limits,
        speed: Speed,
        counters: Counters,
        post: Callable[[Callable[[], None]], None],
        on_end: Callable[[Request], None],
    ) -> None:
        """Start without any request.

        Args:
            model, limits, speed, counters: of the engine.
            post: calls a function in the loop's thread.
            on_end: called when a request has ended.
        """
        self.requests: dict[Request, None] = {}
        self._model = model
        self._limits = limits
        self._speed = speed
        self._counters = counters
        self._on_end = on_end
        self._aside = Aside(model, post, self)
        self._batch = Batch(model)
        self._rows_left = 0  # of all requests
        self._is_due = False  # the batch's rows are to be chosen again
        self._turn_ends = 0.0
        self._turn = 0
        self._last_arrival = 0.0
        self._loops: set[str] = set()  # that were used: TensorFlow optimizes a loop when it first runs

    @property
    def rows(self) -> int:
        """Rows in the batch."""
        return len(self._batch.rows)

    @property
    def waiting(self) -> int:
        """Texts that are not complete and not in the batch."""
        return max(self._rows_left - len(self._batch.rows), 0)

    @property
    def has_work(self) -> bool:
        """Whether `run_once` would do anything."""
        return self._is_due or bool(self._batch.rows)

    @property
    def next_deadline(self) -> float | None:
        """The earliest deadline of all requests."""
        return min((request.deadline for request in self.requests), default=None)

    def add(self, request: Request) -> None:
        """Take a request."""
        self._turn += 1
        request.turn = self._turn
        self._last_arrival = time.monotonic()
        self.requests[request] = None
        self._rows_left += request.rows_left
        if request.stream.has_ended:  # cancelled at once
            self.drop(request)
            return
        long: list[Prompt] = []
        for prompt in request.prompts:
            if prompt.rows and reading.is_short(prompt):
                request.unread.append(prompt)
                request.unread_rows += len(prompt.rows)
            elif prompt.rows:
                long.append(prompt)
        self._aside.read(request, long)
        self._aside.search(request, [prompt for prompt in request.prompts if not prompt.rows])
        self._is_due = True

    def drop(self, request: Request) -> None:
        """Forget a request whose stream has ended: its rows leave the batch before the next chunk."""
        if request not in self.requests:
            return
        del self.requests[request]
        self._on_end(request)
        self._rows_left -= request.rows_left
        request.unread.clear()
        request.ready.clear()
        request.running.clear()
        self._is_due = True
        error = request.stream.error
        if error is None:
            self._counters.add(completed=1)
        elif isinstance(error, Cancelled):
            self._counters.add(cancelled=1)
        elif isinstance(error, Expired):
            self._counters.add(expired=1)

    def fail(self, error: ServingError) -> None:
        """End all requests with an error."""
        for request in list(self.requests):
            request.stream.fail(error)
            self.drop(request)
        self._batch = Batch(self._model)
        self._is_due = False

    def close(self) -> None:
        """Let go of what waits beside the loop."""
        self._aside.close()

    def expire(self) -> None:
        """End the requests whose deadline has come."""
        now = time.monotonic()
        for request in [request for request in self.requests if request.deadline <= now]:
            words = f"{request.service} of {counted(request.words, 'word')}"
            request.stream.fail(Expired(f"the deadline came before the texts were complete: {words} were generated"))
            self.drop(request)

    def run_once(self) -> None:
        """Choose the rows if anything has changed, and generate one chunk."""
        if self._is_due or (self.waiting and time.monotonic() > self._turn_ends):
            self._choose_rows()
        if self._batch.rows:
            self._generate_chunk()

    def take_read(self, request: Request, prompts: Sequence[ReadPrompt]) -> None:
        """Take prompts that were read beside the loop."""
        if not request.stream.has_ended:
            self._last_arrival = time.monotonic()
            self._start_rows(request, prompts)

    def take_texts(self, request: Request, prompt: ReadPrompt, texts: Sequence[tuple[str, int]]) -> None:
        """Take the texts of a beam search, each with its number of words."""
        if request.stream.has_ended:
            return
        self._start_rows(request, [prompt])
        most = prompt.prompt.options["max_words"]
        for output, (whole, count) in zip(prompt.prompt.outputs, texts, strict=True):
            text, was_found = stop(whole, prompt.prompt.stop)
            self._counters.add(words=count)
            request.stream.add(output, text, count, "stop" if was_found or count < most else "length")
        request.service += prompt.prompt.checked.words
        if request.stream.has_ended:
            self.drop(request)

    def take_failure(self, request: Request, error: Exception) -> None:
        """End a request that cannot be done."""
        request.stream.fail(Closed(f"the request has failed: {type(error).__name__}"))
        self.drop(request)

    def _choose_rows(self) -> None:
        """Share the batch among the requests, read the prompts that this needs, and change the batch."""
        if time.monotonic() > self._turn_ends:
            self._end_turn()
        slots = self._limits.max_rows
        chosen = scheduling.order(self.requests, slots)
        granted = scheduling.shares([request.demand for request in chosen], slots)
        is_all_read = self._read(zip(chosen, granted, strict=True))
        rows: list[Row] = []
        for request, share in zip(chosen, granted, strict=True):
            rows += request.take_rows(share)
        if len(self.requests) > len(chosen):
            for request in self.requests.keys() - set(chosen):
                request.take_rows(0)
        if rows != self._batch.rows:
            self._batch.set_rows(rows)
        self._is_due = not is_all_read

    def _end_turn(self) -> None:
        self._turn_ends = time.monotonic() + TURN_SECONDS
        self._turn += 1
        for request in self.requests:
            if request.running:
                request.turn = self._turn

    def _read(self, granted: Iterable[tuple[Request, int]]) -> bool:
        """Read the prompts that requests need to use their shares of the batch.

        Only so many that the rows in the batch do not wait long. Returns whether these were all.
        """
        prompts: list[Prompt] = []
        for request, share in granted:
            available = len(request.running) + len(request.ready)
            for prompt in request.unread:
                if available >= share:
                    break
                available += len(prompt.rows)
                prompts.append(prompt)
        if not prompts:
            return True
        group = next(reading.groups(prompts, self._limits.prefill_words))
        for read in reading.read(self._model, group):
            request = read.prompt.request
            request.unread.popleft()
            request.unread_rows -= len(read.prompt.rows)
            self._start_rows(request, [read])
        return len(group) == len(prompts)

    def _start_rows(self, request: Request, prompts: Sequence[ReadPrompt]) -> None:
        """Let rows take part whose prompts were read."""
        for read in prompts:
            read.start_rows()
            words = int(read.read.words[read.number])
            self._counters.add(prompt_words=words, known_words=int(read.read.known[read.number]))
            for row in read.prompt.rows:
                if row.words_left > 0:
                    request.ready.append(row)
                else:
                    self._accept(row, Generated("", (), has_ended=False))
        self._is_due = True

    def _generate_chunk(self) -> None:
        batch = self._batch
        expected = self._speed.step(len(batch.rows), batch.looks_back)
        # Prompts that are still to be read could join; rows for which there is no room could not.
        quiet_seconds = time.monotonic() - self._last_arrival
        steps = scheduling.chunk_steps(expected, self._speed.call_seconds, batch.words_left, self._is_due, quiet_seconds)
        start = time.perf_counter()
        generated = batch.decode(steps)
        seconds = time.perf_counter() - start
        if batch.loop in self._loops:
            self._speed.observe(len(batch.rows), batch.looks_back, steps, seconds)
        self._loops.add(batch.loop)
        for row, words in zip(batch.rows, generated, strict=True):
            if row.is_needed:
                self._accept(row, words)
        self._counters.add_chunk(seconds, sum(len(words.words) for words in generated), steps)

    def _accept(self, row: Row, generated: Generated) -> None:
        request = row.prompt.request
        request.service += len(generated.words)
        if row.accept(generated) is None:
            return
        request.running.pop(row, None)
        request.rows_left -= 1
        self._rows_left -= 1
        self._is_due = True
        if request.stream.has_ended:
            self.drop(request)
