"""The streams of the engine's thread, awaited in the server's event loop; and clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

from starlette.types import Receive

from lstm_lm_serving.stream import Stream
from lstm_lm_serving.texts import Piece

MAX_PIECES = 16  # handled at a time: of a slow client, each of them has up to all words of a text
T = TypeVar("T")


async def pieces(stream: Stream) -> AsyncIterator[list[Piece]]:
    """Yield the pieces of a stream, several at a time. Between them, the loop does its other work.

    Raises:
        ServingError: as `Stream.next`.
    """
    loop, ready = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(ready.set)

    stream.notify(wake)
    while True:
        ready.clear()
        try:
            found = stream.next(timeout=0, most=MAX_PIECES)
        except TimeoutError:
            await ready.wait()
            continue
        if not found:
            return
        yield found
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def cancelled_if_client_leaves(receive: Receive, cancel: Callable[[], None]) -> AsyncIterator[None]:
    """Call `cancel` when the client disconnects, or when the block ends in another way than by its end.

    Args:
        receive: of ASGI; the body was received.
        cancel: may be called when there is nothing left to cancel.
    """

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except BaseException:
        cancel()
        raise
    finally:
        watcher.cancel()


async def in_thread(executor: Executor, work: Callable[[], T]) -> T:
    """Do in a thread what waits for the engine. It sees the context of the caller."""
    return await asyncio.get_running_loop().run_in_executor(executor, contextvars.copy_context().run, work)
