"""Files that are on their way into this process, over the ends of slices: a job's next slice takes in what has come.

Nothing of it is written down: after a death the job's cursor brings the items that were waited for once more.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Row

from app.db import Database
from app.services import erasing
from app.services.buckets import FoundFile
from app.services.jobs import Running
from app.services.media import StoredFile

AT_ONCE = 8
FORGOTTEN_SECONDS = 60.0  # a job that was not here for so long is run by another process now


@dataclass(frozen=True)
class Outcome:
    """What came of one address: the stored file, or why there is none and whether it may go well later."""

    file: StoredFile | FoundFile | None = None
    reason: str | None = None
    again: bool = False
    down: bool = False  # the bucket that it lies in


@dataclass
class Underway:
    """The files of one job that are being fetched, each in a thread of its own, and those that have come."""

    running: Running
    _rows: dict[int, Row[Any]] = field(default_factory=dict)
    _come: "Queue[tuple[int, Outcome]]" = field(default_factory=Queue)
    _abandoned: threading.Event = field(default_factory=threading.Event)
    _dropping: bool = False
    seen_at: float = 0.0

    @property
    def ids(self) -> list[int]:
        """The items that are waited for."""
        return list(self._rows)

    @property
    def room(self) -> int:
        """How many more may be begun."""
        return AT_ONCE - len(self._rows)

    def begin(self, row: Row[Any], fetch: Callable[[], Outcome]) -> None:
        """Fetch one file; the process ends without waiting for it."""
        self._rows[row.id] = row

        def work() -> None:
            try:
                outcome = fetch()
            except Exception as error:  # told of the item, as nobody reads a thread's log
                outcome = Outcome(reason=f"{type(error).__name__}: {error}", again=True)
            if self._abandoned.is_set():
                self._drop(outcome)
            else:
                self._come.put((row.id, outcome))

        threading.Thread(target=work, name="fetch", daemon=True).start()

    def come(self, deadline: float) -> list[tuple[Row[Any], Outcome]]:
        """What has come, in the order of the items; waits for the first one until the deadline (monotonic seconds)."""
        found = []
        with contextlib.suppress(Empty):
            found.append(self._come.get(timeout=max(0.0, deadline - time.monotonic())))
            while True:
                found.append(self._come.get_nowait())
        return [(self._rows.pop(number), outcome) for number, outcome in sorted(found, key=lambda each: each[0])]

    def give_back(self, found: list[tuple[Row[Any], Outcome]]) -> None:
        """Put back what has come and could not be stored."""
        for row, outcome in found:
            self._come.put((row.id, outcome))

    def abandon(self, *, drop: bool) -> None:
        """Want nothing of it any more; with `drop` files that come go again, unless an upload has the same."""
        self._dropping = drop
        self._abandoned.set()
        _jobs.get(self.running.db, {}).pop(self.running.id, None)
        with contextlib.suppress(Empty):
            while True:
                self._drop(self._come.get_nowait()[1])

    def _drop(self, outcome: Outcome) -> None:
        if isinstance(outcome.file, StoredFile) and self._dropping:
            with contextlib.suppress(Exception):  # a file too many in the folder is no harm
                drop(self.running, outcome.file)


def drop(running: Running, file: StoredFile) -> None:
    """Remove a file that came for an item which does not want it any more, unless an upload has the same."""
    assert running.project_id is not None
    erasing.drop_unnamed(running.db, running.settings, running.project_id, file.sha256)


_jobs: "WeakKeyDictionary[Database, dict[int, Underway]]" = WeakKeyDictionary()


def of(running: Running) -> Underway:
    """What a job has underway in this process; jobs that were not here for a minute are abandoned."""
    known = _jobs.setdefault(running.db, {})
    moment = time.monotonic()
    for each in [each for each in known.values() if moment - each.seen_at > FORGOTTEN_SECONDS]:
        if each.running.id != running.id:
            each.abandon(drop=False)
    found = known.setdefault(running.id, Underway(running))
    found.running, found.seen_at = running, moment
    return found
