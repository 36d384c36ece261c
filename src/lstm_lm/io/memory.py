"""How the process keeps its memory."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
MOST = 2**30
MOST_OF_OLDER = 2**25  # glibc before 2.35 takes no larger one


def keep_freed():
    """Keep large blocks that were freed, up to a gigabyte, for the next ones of their size.

    glibc gives them back to the system, which hands out new ones page by page, zeroed: a training step that works in some
    blocks of 16 MiB would spend a twentieth of its time on that. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    # The second call alone would fix the first threshold where it is, which is low.
    if mallopt(MMAP_THRESHOLD, MOST) or mallopt(MMAP_THRESHOLD, MOST_OF_OLDER):
        mallopt(TRIM_THRESHOLD, MOST)
