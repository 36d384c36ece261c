"""The answer to a request, piece by piece."""

from collections.abc import Callable, Iterator
from typing import Protocol

from lstm_lm_serving.texts import Completion, Piece, PromptFacts


class Stream(Protocol):
    """Iterating over a stream yields its pieces as they are generated; pieces of different texts take turns.

    A stream is read by one thread. `cancel` may be called by any.
    """

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces until all texts are complete.

        Raises:
            Expired, Cancelled, Closed: the request ended before its texts were complete.
        """
        ...

    def next(self, timeout: float | None = None) -> list[Piece]:
        """Wait for the next pieces and return all that there are: empty once all texts are complete.

        Raises:
            TimeoutError: nothing came in this time.
            Expired, Cancelled, Closed: as for iterating.
        """
        ...

    def notify(self, callback: Callable[[], None]) -> None:
        """Call this from the engine's thread whenever `next` would not wait: for event loops, as `loop.call_soon_threadsafe`."""
        ...

    def result(self) -> list[Completion]:
        """Wait until all texts are complete, and return them in order: all samples of the first prompt, then those of the next.

        Raises:
            Expired, Cancelled, Closed: as for iterating.
        """
        ...

    def cancel(self) -> None:
        """Stop: its texts leave the batch before the next chunk. Nothing happens if the stream has ended."""
        ...

    @property
    def prompts(self) -> list[PromptFacts | None]:
        """What is known of the prompts, once they are read: complete when the first pieces of all texts have come."""
        ...
