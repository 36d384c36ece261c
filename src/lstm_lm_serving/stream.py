"""The answer to a request, piece by piece."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar

from lstm_lm_serving.errors import Cancelled, ServingError
from lstm_lm_serving.output import Output, RawWords
from lstm_lm_serving.texts import Completion, FinishReason, Piece, PromptFacts

# Where it is a list, streams that are submitted in this context are appended to it: for servers that call a model's predict, which
# returns no stream, and must cancel it when the client leaves.
submitted: ContextVar[list["Stream"] | None] = ContextVar("submitted", default=None)


class Stream:
    """Iterating over a stream yields its pieces as they are generated; pieces of different texts take turns.

    A stream is read by one thread. `cancel` may be called by any.

    Attributes:
        prompts: what is known of the prompts, once they are read: complete when the first pieces of all texts have come.
        estimated_seconds: from `submit` to the end, as it was estimated then.
        error: why it ended before its texts were complete, or None.
    """

    def __init__(self, prompts: int) -> None:
        """Only the engine makes streams, of so many prompts."""
        self.prompts: list[PromptFacts | None] = [None] * prompts
        self.estimated_seconds = 0.0
        self._on_cancel: Callable[[], None] | None = None
        self._lock = threading.RLock()
        self._condition = threading.Condition(self._lock)
        self._outputs: list[Output] = []
        self._open = 0  # outputs that are not complete
        self._changed: dict[Output, None] = {}
        self.error: ServingError | None = None
        self._is_complete = False
        self._callback: Callable[[], None] | None = None

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces until all texts are complete.

        Raises:
            Expired, Cancelled, Closed: the request ended before its texts were complete.
        """
        while pieces := self.next():
            yield from pieces

    def next(self, timeout: float | None = None, most: int | None = None) -> list[Piece]:
        """Wait for the next pieces and return those that there are: empty once all texts are complete.

        Args:
            timeout: seconds to wait; None: as long as it takes.
            most: pieces to return, for readers that have other work too: a slow reader finds long ones. None: all.

        Raises:
            TimeoutError: nothing came in this time.
            Expired, Cancelled, Closed: as for iterating.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while True:
                if self.error is not None:
                    raise self.error
                changed = list(self._changed)[:most]
                for output in changed:
                    del self._changed[output]
                if pieces := [piece for output in changed if (piece := output.next_piece()) is not None]:
                    return pieces
                if self._changed:
                    continue
                if self._is_complete:
                    return []
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                self._condition.wait(left)

    def notify(self, callback: Callable[[], None]) -> None:
        """Call this from the engine's thread whenever `next` would not wait: for event loops, as `loop.call_soon_threadsafe`."""
        with self._lock:
            self._callback = callback
            is_due = bool(self._changed) or self.has_ended
        if is_due:
            callback()

    def result(self) -> list[Completion]:
        """Wait until all texts are complete, and return them in order: all samples of the first prompt, then those of the next.

        Raises:
            Expired, Cancelled, Closed: as for iterating.
        """
        with self._lock:
            self._condition.wait_for(lambda: self.has_ended)
            if self.error is not None:
                raise self.error
            return [output.completion() for output in self._outputs]

    def cancel(self) -> None:
        """Stop: its texts leave the batch before the next chunk. Nothing happens if the stream has ended."""
        if self.fail(Cancelled("the request was cancelled")) and self._on_cancel is not None:
            self._on_cancel()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return self._is_complete or self.error is not None

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Set what is called when the reader cancels."""
        self._on_cancel = callback

    def open(self, outputs: Sequence[Output]) -> None:
        """Set the texts that are to come, in the order of `result`. The stream is complete when all of them are."""
        self._outputs = list(outputs)
        self._open = len(outputs)

    def add(self, output: Output, text: str, count: int, reason: FinishReason | None, raw: RawWords | None = None) -> None:
        """Add to one of the texts, in the engine's thread."""
        with self._lock:
            output.add(text, count, reason, raw)
            was_silent = not self._changed
            self._changed[output] = None
            if reason is not None:
                self._open -= 1
                self._is_complete = self._open == 0
            if was_silent or self._is_complete:
                self._wake()

    def replace(self, outputs: Sequence[Output], by: Sequence[Output]) -> None:
        """Put complete texts in the place of others, in the engine's thread."""
        with self._lock:
            places = {id(output): place for place, output in enumerate(self._outputs)}
            for old, new in zip(outputs, by, strict=True):
                self._outputs[places[id(old)]] = new
                self._changed[new] = None
            self._open -= len(by)
            self._is_complete = self._open == 0
            self._wake()

    def fail(self, error: ServingError) -> bool:
        """End the stream with an error. Returns whether it had not ended yet."""
        with self._lock:
            if self.has_ended:
                return False
            self.error = error
            self._wake()
            return True

    def _wake(self) -> None:
        self._condition.notify_all()
        if self._callback is not None:
            try:
                self._callback()
            except RuntimeError:  # its event loop was closed: nobody reads any more
                self._callback = None
