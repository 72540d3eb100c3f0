"""Requests that wait together are served together, and each hears of its own outcome."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

import pytest
from sqlalchemy import event, text

from app.db import Database, WriteSession
from app.db.gathering import Gathering, Waiting
from app.db.session import ReadSession

on_postgresql = pytest.mark.parametrize("db", ["postgresql"], indirect=True)


@pytest.fixture
def words(db: Database) -> Iterator[Callable[[], list[str]]]:
    """What is stored in a table of words that is there for this test."""
    with db.write() as session:
        session.execute(text("CREATE TABLE words (word TEXT UNIQUE)"))

    def stored() -> list[str]:
        with db.read() as session:
            return list(session.execute(text("SELECT word FROM words ORDER BY word")).scalars())

    yield stored
    with db.write() as session:
        session.execute(text("DROP TABLE words"))


def put(word: str) -> Callable[[WriteSession], str]:
    def work(session: WriteSession) -> str:
        session.core.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})
        return word

    return work


def slowly(word: str) -> Callable[[WriteSession], str]:
    """Both threads of the writer are kept busy, so that the next requests queue up."""

    def work(session: WriteSession) -> str:
        time.sleep(0.2)
        return put(word)(session)

    return work


async def all_at_once(db: Database, works: Sequence[Callable[[WriteSession], object]]) -> list[object]:
    async def later(work: Callable[[WriteSession], object]) -> object:
        await asyncio.sleep(0.05)
        return await db.store_together(work)

    busy = (db.store_together(slowly(f"busy {number}")) for number in range(2))
    return await asyncio.gather(*busy, *(later(work) for work in works), return_exceptions=True)


def test_requests_at_once_share_commits(db: Database, words: Callable[[], list[str]]) -> None:
    commits: list[object] = []
    event.listen(db.writing, "commit", commits.append)
    wanted = [f"w{number:02}" for number in range(16)]
    assert asyncio.run(all_at_once(db, [put(word) for word in wanted])) == ["busy 0", "busy 1", *wanted]
    assert words() == ["busy 0", "busy 1", *wanted]
    assert len(commits) <= 5


def test_a_refused_request_takes_nothing_of_its_neighbours_along(db: Database, words: Callable[[], list[str]]) -> None:
    def refuse(session: WriteSession) -> None:
        put("half")(session)
        raise ValueError("refused")

    found = asyncio.run(all_at_once(db, [put("a"), refuse, put("b"), put("a"), put("c")]))[2:]
    assert [found[0], found[2], found[4]] == ["a", "b", "c"]
    assert isinstance(found[1], ValueError)
    assert "unique" in str(found[3]).lower()
    assert words() == ["a", "b", "busy 0", "busy 1", "c"]


def test_what_is_left_to_the_end_is_done_once_and_in_the_same_transaction(
    db: Database, words: Callable[[], list[str]]
) -> None:
    ends: list[int] = []

    def end(session: WriteSession) -> None:
        ends.append(session.execute(text("SELECT count(*) FROM words WHERE word LIKE 'w%'")).scalar_one())
        put(f"end {len(ends)}")(session)

    def work(word: str) -> Callable[[WriteSession], str]:
        def ending(session: WriteSession) -> str:
            session.at_end("end", end)
            return put(word)(session)

        return ending

    found = asyncio.run(all_at_once(db, [work(f"w{number}") for number in range(6)]))
    assert found[2:] == [f"w{number}" for number in range(6)]
    assert len(ends) < 6
    assert min(ends) >= 1, "it saw the rows of its transaction"
    assert len([word for word in words() if word.startswith("end")]) == len(ends)

    with db.write() as session:
        session.at_end("end", end)
    assert words().count(f"end {len(ends)}") == 1

    done = len(ends)
    with suppress(ValueError), db.write() as session:
        session.at_end("end", end)
        raise ValueError
    assert len(ends) == done


def test_an_error_at_the_end_stores_nothing_and_is_told_to_all(db: Database, words: Callable[[], list[str]]) -> None:
    def fail(_session: WriteSession) -> None:
        raise RuntimeError("no round")

    def work(session: WriteSession) -> None:
        put("lost")(session)
        session.at_end("end", fail)

    found = asyncio.run(all_at_once(db, [work, work]))[2:]
    assert [type(each) for each in found] in ([RuntimeError, RuntimeError], [RuntimeError, type(found[1])])
    assert "lost" not in words()


@on_postgresql
def test_a_connection_that_breaks_is_told_to_all_and_not_tried_once_more(
    db: Database, words: Callable[[], list[str]]
) -> None:
    tried: list[str] = []

    def cut(session: WriteSession) -> None:
        tried.append("cut")
        session.core.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    def count(session: WriteSession) -> str:
        tried.append("counted")
        return put("counted")(session)

    found = asyncio.run(all_at_once(db, [count, cut]))[2:]
    assert all(isinstance(each, Exception) for each in found)
    assert tried == ["counted", "cut"]
    assert "counted" not in words()


def test_keys_that_are_waited_for_together_are_found_by_one_statement(db: Database) -> None:
    asked: list[list[str]] = []

    def lengths(_session: ReadSession, keys: Sequence[str], _moment: datetime) -> dict[str, int]:
        asked.append(sorted(keys))
        time.sleep(0.05)
        return {key: len(key) for key in keys if key != "unknown"}

    async def run() -> list[int | None]:
        return list(await asyncio.gather(*(db.find(lengths, key) for key in ("a", "bb", "unknown", "bb"))))

    assert asyncio.run(run()) == [1, 2, None, 2]
    if not db.is_sqlite:  # which looks in place, as no thread's turn is worth it
        assert len(asked) <= 3
        assert sum(map(len, asked)) <= 4


def test_what_serves_requests_may_fail_and_serves_the_next_ones() -> None:
    def serve(requests: Sequence[Waiting]) -> None:
        if any(request.what == "bad" for request in requests):
            raise OSError("no disk")
        for request in requests:
            request.result = request.what

    gathering = Gathering("test", 1, 4, serve)

    async def run() -> list[object]:
        with pytest.raises(OSError, match="no disk"):
            await gathering.ask("bad")
        return [await gathering.ask("good")]

    assert asyncio.run(run()) == ["good"]
    gathering.stop()
    assert asyncio.run(gathering.ask("again")) == "again"
    gathering.stop()
