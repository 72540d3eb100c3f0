"""Who waits for a password's hash: two at a time, so that a flood of sign-ins takes no other thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from app.core.errors import Unavailable

Result = TypeVar("Result")
AT_ONCE = 2
MOST_WAITING = 100  # some seconds of hashes


class Turns:
    """Threads of their own for slow work that anybody may ask for."""

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._lanes = ThreadPoolExecutor(at_once, "turns")  # threads start when they are first needed
        self._most_waiting = most_waiting
        self._here = 0

    async def take(self, work: Callable[[], Result]) -> Result:
        """What the work returns, when its turn has come; it runs in the caller's context.

        Raises Unavailable when too many wait already.
        """
        if self._here >= self._most_waiting:
            raise Unavailable("many people are signing in: try again shortly")
        self._here += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._lanes, copy_context().run, work)
        finally:
            self._here -= 1


PASSWORDS = Turns(AT_ONCE, MOST_WAITING)
