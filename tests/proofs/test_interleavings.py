"""Two transactions at once in every order that their steps can have.

A step is a statement that reaches the database. Of the first five steps of two pieces of work there are 252 orders; a
sample of them is played on PostgreSQL with two real connections, all with `LABELWISE_PROOF_ORDERS=all`, and with
`every` the orders of all steps, 43,758 for a next that meets a submit (`LABELWISE_PROOF_PART=0/4` plays a quarter). A
step that has to wait for the other's lock is left waiting, and the other goes on. On SQLite a write transaction begins
by taking the one lock there is, so that only the orders of whole transactions are left: `test_crowd.py` plays those.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from app.core.errors import AppError
from app.db import Database, WriteSession
from app.services import annotations, serving
from app.services.access import Person
from tests import databases
from tests.conftest import Api
from tests.conftest import serving as serve

STEPS = 5
BLOCKED_SECONDS = 0.05  # a step that takes longer waits for the other transaction's lock
ASKED = os.environ.get("LABELWISE_PROOF_ORDERS", "")  # "", "all" or "every"
PART, PARTS = (int(each) for each in os.environ.get("LABELWISE_PROOF_PART", "0/1").split("/"))
SOME = 17  # every so manieth order where not all are asked for
Work = Callable[[WriteSession], Any]


class Turns:
    """Lets each of two transactions take its next step when its turn comes."""

    def __init__(self, order: tuple[int, ...]) -> None:
        self._order = list(order)
        self._changed = threading.Condition()
        self._over = [False, False]

    def wait(self, who: int) -> None:
        """Before a statement: until it is this one's turn, or the other one is over or stuck."""
        with self._changed:
            end = 200
            while self._order and self._order[0] != who and not self._over[1 - who] and end:
                if not self._changed.wait(BLOCKED_SECONDS):
                    break  # the other one waits for what this one holds
                end -= 1
            if self._order and who in self._order:
                self._order.remove(who)
            self._changed.notify_all()

    def over(self, who: int) -> None:
        """This one has ended."""
        with self._changed:
            self._over[who] = True
            self._changed.notify_all()


def play(databases_: list[Database], works: tuple[Work, ...], order: tuple[int, ...]) -> list[Any]:
    """Run two pieces of work in an order; what each gave, or the refusal that it raised."""
    turns = Turns(order)
    results: list[Any] = [None, None]

    def one(who: int) -> None:
        def before(*_: Any) -> None:
            turns.wait(who)

        engine = databases_[who].writing
        event.listen(engine, "before_cursor_execute", before)
        try:
            with databases_[who].write() as session:
                results[who] = works[who](session)
        except (AppError, IntegrityError) as refusal:
            results[who] = refusal
        finally:
            event.remove(engine, "before_cursor_execute", before)
            turns.over(who)

    threads = [threading.Thread(target=one, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), f"nobody goes on in the order {order}"
    return results


def orders(first: int, second: int) -> Iterator[tuple[int, ...]]:
    """All orders of so many steps of the one and of the other, 252 of five and five."""
    for mine in itertools.combinations(range(first + second), first):
        yield tuple(0 if step in mine else 1 for step in range(first + second))


class Bench:
    """A project in which the same two people meet at the same item again and again."""

    def __init__(self, api: Api, others: list[Database]) -> None:
        self.api, self.databases = api, others
        boss = api.as_("boss")
        self.project = boss.project(overlap=2, round_size=1000, audit_share=0)["id"]
        self.people = []
        for name in ("ann", "ben"):
            api.as_(name)
            boss.post(f"/projects/{self.project}/members", json={"user": name, "role": "annotator"})
            row = self.rows("SELECT id FROM users WHERE name = :name", name=name)[0]
            self.people.append(Person(row.id, name))
        boss.push(self.project, [{"key": "one", "text": "the only one"}])
        self.item = self.rows("SELECT id FROM items")[0].id
        with api.db.write() as session:  # no order is made: only people meet here
            session.execute(text("UPDATE jobs SET state = 'cancelled'"))

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.api.db.read() as session:
            return list(session.connection().execute(text(statement), values).all())

    def again(self, overlap: int) -> None:
        """Everything as it was, with another overlap."""
        with self.api.db.write() as session:
            for table in ("annotations", "leases", "jobs"):
                session.execute(text(f"DELETE FROM {table}"))
            session.execute(text("UPDATE items SET done = false, skips = 0"))
            session.execute(text("UPDATE projects SET overlap = :overlap"), {"overlap": overlap})
        for database in self.databases:
            database._questions.clear()

    def next(self, who: int) -> Work:
        person, settings = self.people[who], self.api.settings
        return lambda session: [each.id for each in serving.lease(session, settings, person, self.project, 1).leases]

    def submit(self, who: int, lease: int, request: Any = None, label: str = "cat") -> Work:
        answer = {"class": label}
        return lambda session: annotations.submit(session, self.people[who], lease, answer, request, 1.0).counted

    def take_back(self, who: int, lease: int) -> Work:
        return lambda session: annotations.take_back(session, self.people[who], lease, 900) and None

    def skip(self, who: int, lease: int) -> Work:
        return lambda session: serving.skip(session, lease, self.people[who], None)

    def lease(self, who: int) -> int:
        """A lease that is there before the two begin."""
        with self.api.db.write() as session:
            return serving.lease(session, self.api.settings, self.people[who], self.project, 1).leases[0].id

    def expire(self, lease: int, *, written: bool = True) -> None:
        """Let a lease be over by now; `written` as the next request for leases would leave it."""
        with self.api.db.write() as session:
            gone = "UPDATE leases SET expires_at = served_at - :long, state = :state WHERE id = :lease"
            values = {"long": timedelta(hours=1), "state": "expired" if written else "live", "lease": lease}
            session.execute(text(gone), values)

    def check(self, overlap: int) -> None:
        """I1, I2, I4 and I15 of this item."""
        held = self.rows("SELECT annotator_id, slot, state FROM leases WHERE state IN ('live', 'answered')")
        assert len(held) <= overlap
        assert len({row.slot for row in held}) == len(held)
        assert len({row.annotator_id for row in held}) == len(held)
        counted = self.rows("""SELECT lease_id FROM annotations AS answer WHERE counted AND NOT retracted AND NOT EXISTS
            (SELECT 1 FROM annotations AS newer WHERE newer.answer_id = answer.answer_id
             AND newer.version > answer.version)""")
        assert len({row.lease_id for row in counted}) == len(counted) <= overlap
        assert len(counted) == sum(row.state == "answered" for row in held)
        item = self.rows("SELECT done, skips FROM items")[0]
        assert item.done == (len(counted) >= overlap)
        assert item.skips == self.rows("SELECT count(*) AS many FROM leases WHERE state = 'skipped'")[0].many


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Database]]:
    """Two connections' worth of service on PostgreSQL."""
    made = [Database(databases.postgres_url(), pool_size=2) for _ in range(2)]
    yield made
    for each in made:
        each.dispose()


Meeting = Callable[[Bench], tuple[Work, ...]]
MEETINGS: dict[str, tuple[int, Meeting]] = {  # with the overlap
    # two people ask for the last slot of an item
    "next and next": (1, lambda bench: (bench.next(0), bench.next(1))),
    # one asks in two tabs
    "next twice": (1, lambda bench: (bench.next(0), bench.next(0))),
    "next and submit": (2, lambda bench: (bench.next(1), bench.submit(0, bench.lease(0)))),
    # the last two answers of an item arrive together
    "submit and submit": (2, lambda bench: (bench.submit(0, bench.lease(0)), bench.submit(1, bench.lease(1)))),
    "submit twice": (1, lambda bench: (bench.submit(0, bench.lease(0), uuid4()),) * 2),
    # a late answer, and a colleague who is given the slot
    "next and late submit": (1, lambda bench: (bench.next(1), bench.submit(0, over(bench, written=True)))),
    "expire and submit": (1, lambda bench: (bench.next(1), bench.submit(0, over(bench, written=False)))),
    "skip twice": (1, lambda bench: (bench.skip(0, bench.lease(0)),) * 2),
    "take back and submit": (2, lambda bench: (bench.take_back(0, answered(bench)), bench.submit(1, bench.lease(1)))),
    "take back twice": (1, lambda bench: (bench.take_back(0, answered(bench)),) * 2),
}


def over(bench: Bench, *, written: bool) -> int:
    lease = bench.lease(0)
    bench.expire(lease, written=written)
    return lease


def answered(bench: Bench) -> int:
    lease = bench.lease(0)
    with bench.api.db.write() as session:
        bench.submit(0, lease)(session)
    return lease


@pytest.fixture
def bench(client: Any, settings: Any, pair: list[Database]) -> Iterator[Bench]:
    databases.empty(databases.postgres_url())
    database = Database(databases.postgres_url())
    settings.data.mkdir(parents=True, exist_ok=True)
    yield Bench(serve(client, database, settings), pair)
    database.dispose()


def steps_of(bench: Bench, overlap: int, meet: Meeting) -> tuple[int, ...]:
    """How many statements each of the two makes at most, whoever goes first."""
    found = [0, 0]
    for whole in ((0, 1), (1, 0)):
        bench.again(overlap)
        works = meet(bench)
        for who in whole:
            count = itertools.count()
            database = bench.databases[who]
            with suppress(AppError, IntegrityError), counting(database, count), database.write() as session:
                works[who](session)
            found[who] = max(found[who], next(count))
    return tuple(found)


@contextmanager
def counting(database: Database, count: Iterator[int]) -> Iterator[None]:
    """Each statement that is written takes a number."""

    def before(*_: Any) -> None:
        next(count)

    event.listen(database.writing, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(database.writing, "before_cursor_execute", before)


@pytest.mark.parametrize("meeting", MEETINGS)
def test_no_order_of_two_transactions_breaks_a_promise(bench: Bench, meeting: str) -> None:
    overlap, meet = MEETINGS[meeting]
    first, second = steps_of(bench, overlap, meet) if ASKED == "every" else (STEPS, STEPS)
    for order in itertools.islice(orders(first, second), PART, None, PARTS if ASKED else SOME):
        bench.again(overlap)
        results = play(bench.databases, meet(bench), order)
        bench.check(overlap)
        if meeting == "next twice":
            assert results[0] == results[1], "two tabs of one person show the same item"
