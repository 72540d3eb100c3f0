"""Memory that is free in this process and could be somebody else's."""

import ctypes
from collections.abc import Callable

# glibc gives each thread a heap of its own and hands little back: twelve exports at once left 70 MB with the process.
FEW_HEAPS = {"MALLOC_ARENA_MAX": "2"}

_trim: Callable[[int], int] | None
try:
    _trim = ctypes.CDLL(None).malloc_trim
except (AttributeError, OSError, TypeError):  # another C library than glibc
    _trim = None


def give_back() -> None:
    """Hand free pages of the heap back to the system; milliseconds, and nothing where the C library has no such call.

    glibc keeps what was freed below something that is still used.
    """
    if _trim is not None:
        _trim(0)
