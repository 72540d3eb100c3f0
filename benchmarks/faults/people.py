"""People who label: each in a thread, each answer sent until it is acknowledged, every fact in the journal."""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from benchmarks.faults.journal import Journal
from benchmarks.faults.site import CLASSES, Person, Site

AGAIN_SECONDS = 0.05
BROKEN = (OSError, http.client.HTTPException, json.JSONDecodeError)


class Labeller(threading.Thread):
    """One person: leases some items, answers each, and waits a while between two answers."""

    def __init__(
        self, at: Site, person: Person, journal: Journal, *, seed: int, think: float, port: int = 0, take: int = 3
    ) -> None:
        super().__init__(name=person.name, daemon=True)
        self._at, self._person, self._journal = at, person, journal
        self._random = random.Random(f"{seed} {person.name}")
        self._think, self._port, self._take = think, port or at.port, take
        self._line: http.client.HTTPConnection | None = None
        self.stopping = threading.Event()
        self.patience = float("inf")  # the moment after which nothing is sent again

    def run(self) -> None:
        """Label until told to stop; an answer on its way is sent until it is acknowledged."""
        try:
            self._label()
        finally:
            if self._line is not None:
                self._line.close()

    def _label(self) -> None:
        self._rest(self._random.random() * min(self._think, 2))
        while not self.stopping.is_set():
            served = self._ask(f"/projects/{self._at.project}/leases", {"count": self._take})
            for lease in (served or {}).get("leases", []):
                if self.stopping.is_set():
                    break
                self._rest(self._think * (0.5 + self._random.random()))
                self._answer(lease)
            if not (served or {}).get("leases"):
                self._rest(AGAIN_SECONDS)

    def _answer(self, lease: dict[str, Any]) -> None:
        key, label = str(uuid4()), self._random.choice(CLASSES)
        body = {"lease": lease["id"], "label": {"class": label}, "seconds_spent": 1}
        self._journal.note_sent(key, lease["id"], lease["item"]["id"], label, self._person.name)
        while time.monotonic() < self.patience:
            stored = self._ask("/annotations", body, key)
            if stored is not None and "id" in stored:
                self._journal.note_acked(key, stored)
                return
            if stored is not None:  # refused, and it says why
                return
            self._rest(AGAIN_SECONDS)

    def _ask(self, path: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any] | None:
        """The answer; None where nobody knows what became of the request, or it is to be sent again."""
        headers = {**self._person.headers, "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        begun = time.monotonic()
        try:
            if self._line is None:
                self._line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            self._line.request("POST", f"/api/v1{path}", json.dumps(body), headers)
            answer = self._line.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
        except BROKEN:
            if self._line is not None:
                self._line.close()
            self._line = None
            return None
        self._journal.note_wait(answer.status, begun)
        return None if answer.status in (429, 503) else found

    def _rest(self, seconds: float) -> None:
        self.stopping.wait(seconds) if seconds > 0.2 else time.sleep(seconds)


@contextmanager
def labelling(
    at: Site, people: Sequence[Person], journal: Journal, *, seed: int = 0, think: float = 0.05, port: int = 0
) -> Iterator[list[Labeller]]:
    """People at work; at the end each one's answer on its way is acknowledged, or given up after ten seconds."""
    threads = [Labeller(at, person, journal, seed=seed, think=think, port=port) for person in people]
    for each in threads:
        each.start()
    try:
        yield threads
    finally:
        for each in threads:
            each.patience = time.monotonic() + 10
            each.stopping.set()
        for each in threads:
            each.join(30)
