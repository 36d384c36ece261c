"""How the process keeps its memory, and how much it can get."""

import contextlib
import ctypes
import errno
import re
import resource
from collections.abc import Iterator
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of glibc's mallopt
MAX_KEPT = 2**30
MAX_KEPT_BY_OLD_GLIBC = 2**25  # before 2.35

# Limit, use and statistics of a cgroup: of version 2, and of version 1.
CGROUP_FILES = {
    "": ("memory.max", "memory.current", "memory.stat"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"),
}
# Of the errors with which TensorFlow says that an allocation failed.
TENSORFLOW_WORDS = (
    "OOM when allocating",
    "Dst tensor is not initialized",
    "out of memory",
    "OUT_OF_MEMORY",
    "bad_alloc",
    "Failed to allocate",
)


def keep_freed() -> None:
    """Keep large blocks that were freed, up to a gigabyte, for the next allocations of their size.

    By default glibc returns them to the system, which hands out new ones page by page, zeroed: a training step that works in
    some blocks of 16 MiB would spend a twentieth of its time on that. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    # Setting only the trim threshold would fix the mmap threshold at its current, low value.
    if mallopt(MMAP_THRESHOLD, MAX_KEPT) or mallopt(MMAP_THRESHOLD, MAX_KEPT_BY_OLD_GLIBC):
        mallopt(TRIM_THRESHOLD, MAX_KEPT)


def limit_arenas(arenas: int) -> None:
    """Let all threads share a few heaps. Call it before there are threads.

    By default glibc has up to 8 heaps for each core, and each of them keeps what its largest work took: a server with many threads
    would grow until every heap had served its largest request.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, arenas)


def return_freed() -> None:
    """Return to the system what was freed, even if it lies between blocks in use. Only glibc can."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def out_of_memory_line(error: BaseException) -> str | None:
    """Return one line for an allocation that failed, in Python, NumPy or TensorFlow; None for any other error."""
    text = str(error)
    from_tensorflow = type(error).__module__.startswith("tensorflow") and any(words in text for words in TENSORFLOW_WORDS)
    from_system = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if not (isinstance(error, MemoryError) or from_tensorflow or from_system):
        return None
    wanted = re.search(r"allocate (?P<size>[\d.]+ \w+) for|tensor with shape ?(?P<shape>\[[\d,]+\])", text)
    detail = f" (for {wanted['size'] or 'a tensor of shape ' + wanted['shape']})" if wanted else ""
    return (
        f"out of memory{detail}, {gigabytes(available())} are free: use a smaller model or smaller batches (model.hidden_size, "
        f"batching.batch_size, batching.sequence_length in params.yaml), or end other programs"
    )


def available() -> int:
    """Return the bytes that this process can still get: free memory and swap, within the limits of its cgroups and of `ulimit`."""
    import psutil

    amounts = [psutil.virtual_memory().available + psutil.swap_memory().free, *_cgroup_room()]
    used = psutil.Process().memory_info()
    for limit, taken in ((resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, getattr(used, "data", used.rss))):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            amounts.append(soft - taken)
    return max(0, min(amounts))


def _cgroup_room(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """Yield the bytes that each cgroup of this process leaves, from its own up to the root: those of a container or a batch system."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        version = CGROUP_FILES[controllers]
        top = root / controllers
        folder = top / path.lstrip("/")
        # A container sees its own cgroup as the root, whatever the path is outside.
        for place in {folder, *(parent for parent in folder.parents if parent.is_relative_to(top)), top}:
            limit, used, cache = (place / name for name in version)
            try:
                total, taken = int(limit.read_text()), int(used.read_text())
                freeable = re.search(r"^(?:total_)?inactive_file (\d+)$", cache.read_text(), re.MULTILINE)
            except (OSError, ValueError):  # no limit, or no such cgroup here
                continue
            yield total - taken + (int(freeable[1]) if freeable else 0)


def gigabytes(size: float) -> str:
    """`1.5 GB` of 1,500,000,000."""
    return f"{size / 1e9:,.1f} GB"
