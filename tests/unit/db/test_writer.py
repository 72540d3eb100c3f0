"""SQLite's one writer: shared commits, refusals that harm nobody, and undone transactions that everybody hears of."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app.db import Database, WriteSession


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'writer.db'}")
    with database.write() as session:
        session.execute(text("CREATE TABLE words (word TEXT UNIQUE)"))
    yield database
    database.dispose()


def words(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.execute(text("SELECT word FROM words ORDER BY word")).scalars())


def put(word: str) -> Callable[[WriteSession], str]:
    def work(session: WriteSession) -> str:
        session.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})
        return word

    return work


async def all_at_once(db: Database, works: list) -> list:
    return await asyncio.gather(*(db.store(work) for work in works), return_exceptions=True)


def test_requests_at_once_share_commits_and_each_gets_its_own_result(db: Database) -> None:
    commits = []
    event.listen(db.writing, "commit", commits.append)

    def slowly(session: WriteSession) -> str:
        time.sleep(0.1)  # meanwhile the others queue up
        return put("first")(session)

    found = asyncio.run(all_at_once(db, [slowly, *(put(f"w{n:03}") for n in range(100))]))
    assert found == ["first", *(f"w{n:03}" for n in range(100))]
    assert words(db) == found
    assert len(commits) <= 4


def test_a_refused_write_takes_nothing_of_its_neighbours_along(db: Database) -> None:
    def refuse(session: WriteSession) -> None:
        session.execute(text("INSERT INTO words VALUES ('half')"))
        raise ValueError("refused")

    found = asyncio.run(all_at_once(db, [put("a"), refuse, put("b"), put("a"), put("c")]))
    assert isinstance(found[1], ValueError)
    assert "UNIQUE" in str(found[3])
    assert words(db) == ["a", "b", "c"]


def test_when_the_database_undoes_a_shared_transaction_nobody_is_told_that_it_is_stored(db: Database) -> None:
    def fill(session: WriteSession) -> None:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        session.execute(text("INSERT INTO words VALUES (:word)"), {"word": "x" * 200_000})

    found = asyncio.run(all_at_once(db, [put("before"), fill, put("after")]))
    stored = words(db)
    for word, outcome in (("before", found[0]), ("after", found[2])):
        assert (outcome == word) == (word in stored), (outcome, stored)
    assert isinstance(found[1], OperationalError)


def test_the_thread_ends_with_the_database_and_can_start_again(db: Database) -> None:
    assert asyncio.run(db.store(put("one"))) == "one"
    db.dispose()
    assert asyncio.run(db.store(put("two"))) == "two"
    assert words(db) == ["one", "two"]


def test_slow_readers_do_not_hold_up_what_is_looked_up_in_place(db: Database) -> None:
    with ExitStack() as busy:
        for _ in range(16):  # every connection of the readers' pool
            busy.enter_context(db.reading.connect())
        begun = time.monotonic()
        assert asyncio.run(db.look_up(lambda session: session.execute(text("SELECT 1")).scalar_one())) == 1
    assert time.monotonic() - begun < 5


def test_what_is_undone_inside_a_savepoint_takes_nothing_else_along(db: Database) -> None:
    def work(session: WriteSession) -> None:
        session.core.execute(text("INSERT INTO words VALUES ('kept')"))
        with suppress(ValueError), session.begin_nested():
            session.core.execute(text("INSERT INTO words VALUES ('undone')"))
            raise ValueError
        session.core.execute(text("INSERT INTO words VALUES ('kept too')"))

    asyncio.run(db.store(work))
    assert words(db) == ["kept", "kept too"]
