"""Time in UTC that never runs backwards inside one process."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def monotonic_clock() -> Clock:
    """A clock read once from the system and then driven by the monotonic counter."""
    anchor, started = datetime.now(UTC), time.monotonic()
    return lambda: anchor + timedelta(seconds=time.monotonic() - started)
