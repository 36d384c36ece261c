"""How the process keeps its memory."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
MAX_KEPT = 2**30
MAX_KEPT_BY_OLD_GLIBC = 2**25  # before 2.35


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
