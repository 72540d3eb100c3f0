"""What people were told, written down by their clients, and compared afterwards with what the database holds."""

import json
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import func, select

from app.db import Annotation, Lease
from app.services import answers, recounting
from benchmarks.faults.site import Site


@dataclass
class Journal:
    """One line a fact, flushed at once: a lease that was given, an answer that was sent, one that was acknowledged."""

    file: Path
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)  # by key
    acked: dict[str, dict[str, Any]] = field(default_factory=dict)  # by key
    statuses: Counter[int] = field(default_factory=Counter)
    waits: list[tuple[float, float]] = field(default_factory=list)  # when, and how long an answer took, in seconds
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_sent(self, key: str, lease: int, item: int, label: str, person: str) -> None:
        """An answer is on its way; from now on it may be stored."""
        self._write("sent", self.sent, key, {"lease": lease, "item": item, "label": label, "person": person})

    def note_acked(self, key: str, stored: dict[str, Any]) -> None:
        """The service said that it has the answer; from now on it has to be stored."""
        kept = {name: stored[name] for name in ("id", "item", "counted", "late")}
        self._write("acked", self.acked, key, kept)

    def note_wait(self, status: int, begun: float) -> None:
        """One answer of the service, and how long it took."""
        with self._lock:
            self.statuses[status] += 1
            self.waits.append((begun, time.monotonic() - begun))

    def _write(self, kind: str, table: dict[str, dict[str, Any]], key: str, values: dict[str, Any]) -> None:
        with self._lock:
            table[key] = {**values, "at": time.monotonic()}
            with self.file.open("a") as file:
                file.write(json.dumps({"kind": kind, "key": key, **values}) + "\n")


def violations(at: Site, journal: Journal, *, overlap: int = 1, most: int = 5) -> list[str]:
    """What the service said or promised and did not keep; at most some of each kind, with their number."""
    found: dict[str, list[str]] = defaultdict(list)
    with at.db.read() as session:
        rows = session.execute(answers.select_shown().where(Annotation.version == 1)).all()
        stored = [(row.Annotation, answers.of_row(session, row)) for row in rows]
        held = session.execute(
            select(Lease.item_id, func.count())
            .where(Lease.state.in_(("live", "answered")))
            .group_by(Lease.item_id)
            .having(func.count() > overlap)
        ).all()
    by_id = {row.id: (row, shown) for row, shown in stored}
    for key, told in journal.acked.items():
        row, shown = by_id.get(told["id"], (None, None))
        wanted = journal.sent[key]
        own = None if row is None else uuid5(UUID(key), str(row.annotator_id))  # keys are each person's own
        if row is None or shown is None:
            found["lost"].append(f"answer {told['id']} for item {told['item']}")
        elif (row.request_id or own, row.item_id, shown.label) != (own, wanted["item"], {"class": wanted["label"]}):
            found["changed"].append(f"answer {row.id}")
    leases = Counter(row.lease_id for row, _ in stored)
    sent = Counter(each["lease"] for each in journal.sent.values())
    found["doubled"] += [f"lease {lease}: {count}" for lease, count in leases.items() if lease and count > 1]
    found["never sent"] += [f"lease {lease}" for lease in leases if lease and lease not in sent]
    counted = Counter(row.item_id for row, _ in stored if row.counted and not row.retracted)
    found["beyond overlap"] += [f"item {item}: {count}" for item, count in counted.items() if count > overlap]
    found["held beyond overlap"] += [f"item {item}: {count}" for item, count in held]
    told = Counter(each["item"] for each in journal.acked.values() if each["counted"])
    found["counted to people beyond overlap"] += [f"item {item}" for item, count in told.items() if count > overlap]
    listed = [f"{len(each)} {kind}, as {'; '.join(each[:most])}" for kind, each in found.items() if each]
    return listed + broken_rules(at)


def broken_rules(at: Site, *, worker_lives: bool = False) -> list[str]:
    """The rules that `labelwise check` looks at and that do not hold."""
    looked = recounting.integrity(at.db) + recounting.rows(at.db, at.settings, worker_lives=worker_lives)
    return [f"{each.what}: {each.detail}" for each in looked if not each.good and "PostgreSQL writes" not in each.what]
