"""The windows of an epoch, stacked for calls of several steps and prepared ahead by a thread."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice

import numpy as np

from lstm_lm.io import arrays

# Once this much training text has been read it is released, so that a long text needs no more memory than a short one.
RELEASE_BYTES = 2**26

Window = tuple[np.ndarray, np.ndarray]


def stack_windows(
    epoch: Iterable[Window], position: int, step: int, intervals: Sequence[int], steps_per_call: Callable[[], int], text: np.ndarray
) -> Iterator[Window]:
    """Stack the windows of an epoch for calls of several steps.

    Args:
        epoch: (inputs, targets): int32 [batch, time], in order.
        position: windows at the start of the epoch to skip.
        step: optimizer steps done before.
        intervals: no call goes beyond a step that is a multiple of one of these, because something is reported there.
        steps_per_call: returns the largest number of steps for the next call.
        text: the array that the windows are read from, released now and then.
    Yields:
        (inputs, targets): int32 [steps, batch, time]
    """
    bytes_read = 0
    # Short windows have a graph of their own.
    for _, same_length in groupby(islice(epoch, position, None), lambda window: window[0].shape[1]):
        while group := list(islice(same_length, min(steps_per_call(), *(every - step % every for every in intervals)))):
            step += len(group)
            inputs, targets = zip(*group, strict=True)
            yield np.stack(inputs), np.stack(targets)
            bytes_read += sum(ids.nbytes for ids in inputs)
            if bytes_read > RELEASE_BYTES:
                arrays.release(text)
                bytes_read = 0


def prepare_ahead(items: Iterator[Window]) -> Iterator[Window]:
    """Yield the same items. A thread makes the next one while the caller uses the current one."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
