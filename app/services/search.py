"""The full-text index: which items hold which words, and which values of metadata.

The text is cut into words here, so both databases search alike: letters and digits of every script, without regard to
case; a word is found by its beginning, of two letters or more. In scripts that are written without spaces each
character is a word. Every word is kept with its project's number in front, so that a search costs nothing for what
other projects hold. SQLite keeps them in an FTS5 table without the texts, PostgreSQL in a `tsvector`.

A job fills the index in slices behind every import; what changes later is changed in the same transaction. Items that
the job has not come to are searched without the index, also inside of words.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, text, update
from sqlalchemy.orm import Session

from app.db import Item, SearchIndex, WriteSession
from app.modalities.text import CANDIDATES
from app.services import jobs, numbers
from app.services.jobs import Done, More, Running

SLICE_SECONDS = 1.5
CHUNK = 1_000  # items of a transaction: others wait for it a few hundredths of a second
MAX_BYTES = 900_000  # of the different words of an item: PostgreSQL takes a mebibyte
WORD_CHARACTERS = 40  # of a longer word so many are kept and looked for
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
WORDS = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")
LOCK = 8203  # the class of PostgreSQL's advisory locks of imports

ADD = {
    "sqlite": text("INSERT INTO item_words (rowid, words) VALUES (:id, :words)"),
    "postgresql": text(
        "INSERT INTO item_words (item_id, words) VALUES (:id, array_to_tsvector(string_to_array(:words, ' ')))"
        " ON CONFLICT (item_id) DO NOTHING"
    ),
}
CHANGE = text(
    "INSERT INTO item_words (item_id, words) VALUES (:id, array_to_tsvector(string_to_array(:words, ' ')))"
    " ON CONFLICT (item_id) DO UPDATE SET words = excluded.words"
)
FORGET = text("INSERT INTO item_words (item_words, rowid, words) VALUES ('delete', :id, :words)")
FOUND = {
    "sqlite": "SELECT rowid AS id FROM item_words WHERE item_words MATCH :{name}",
    "postgresql": "SELECT item_id AS id FROM item_words WHERE words @@ CAST(:{name} AS tsquery)",
}


@dataclass(frozen=True)
class Reach:
    """How far the index of a project goes: words and values of every item up to the id `to`, numbers up to `numbers`.

    Up to `last` there are items.
    """

    to: int
    numbers: int
    last: int

    @property
    def whole(self) -> bool:
        """Whether the words of no item are missing."""
        return self.to >= self.last


@dataclass(frozen=True)
class Unindexed:
    """How many items of a project the index holds, and how many it does not yet."""

    indexed: int
    waiting: int


def words(given: str) -> list[str]:
    """The words of a text as the index holds them, in their order."""
    return [word[:WORD_CHARACTERS] for word in WORDS.findall(given.casefold())]


def reach(session: Session, project_id: int) -> Reach:
    """How far the index of a project goes; two look-ups."""
    columns = select(SearchIndex.indexed_to, SearchIndex.numbers_to).where(SearchIndex.project_id == project_id)
    to, numbers_to = session.execute(columns).first() or (0, 0)
    last = session.execute(select(func.max(Item.id)).where(Item.project_id == project_id)).scalar()
    return Reach(to, numbers_to, last or 0)


def unindexed(session: Session, project_id: int, *, compared: bool = False) -> Unindexed | None:
    """What the index lacks; None where it holds every item. Counts the items only where it does not.

    Words are looked at, with `compared` the numbers too.
    """
    found = reach(session, project_id)
    to = min(found.to, found.numbers) if compared else found.to
    if to >= found.last:
        return None
    counted = select(func.count(), func.count().filter(Item.id <= to)).where(Item.project_id == project_id)
    total, indexed = session.execute(counted).one()
    return Unindexed(indexed, total - indexed)


def beginning_with(project_id: int, word: str) -> str:
    """The part of a query for items with a word that begins so; one letter is a word of its own."""
    return f"{project_id}_{word}{'*' if len(word) > 1 else ''}"


def with_value(project_id: int, name: str, value: str | float | bool) -> str:
    """The part of a query for items whose metadata hold this value under this name."""
    kind, written = _written(value)
    digest = blake2b(f"{name}\0{kind}{written}".encode(), digest_size=8).hexdigest()
    return f"{project_id}__{digest}"


def matching(session: Session, any_of_each: Sequence[Sequence[str]]) -> Any:
    """A select of the `id`s of the items in the index that fit one part of each group."""
    dialect = session.get_bind().dialect.name
    sign, other = (" AND ", " OR ") if dialect == "sqlite" else (" & ", " | ")
    query = sign.join(f"({other.join(_part(each, dialect) for each in group)})" for group in any_of_each)
    name = f"words_{blake2b(query.encode(), digest_size=6).hexdigest()}"
    return text(FOUND[dialect].format(name=name)).bindparams(bindparam(name, query)).columns(id=Item.id.type)


def request(session: WriteSession, project_id: int, *, delay_seconds: float = 0.0) -> None:
    """Ask for the job that brings the index up to the newest item."""
    jobs.enqueue(session, "index", project_id, delay_seconds=delay_seconds)


def import_begins(session: WriteSession, project_id: int) -> None:
    """Say that this transaction inserts items: on PostgreSQL the index waits for it before it goes past their ids."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock_shared(:lock, :project)"), _key(project_id))


@contextmanager
def kept_up(session: WriteSession, project_id: int, item_ids: Sequence[int]) -> Iterator[None]:
    """Change items inside of this block, and the index follows in the same transaction."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    seen = reach(session, project_id).to
    ids = [each for each in item_ids if not sqlite or each <= seen]
    before = _terms_of(session, project_id, ids) if sqlite else {}
    numbered = _numbers_of(session, project_id, item_ids)
    yield
    session.flush()
    numbers.change(session, numbered, _numbers_of(session, project_id, item_ids))
    after = _terms_of(session, project_id, ids)
    changed = [each for each in ids if before.get(each) != after[each]]
    if not changed:
        return
    if sqlite:
        session.execute(FORGET, [{"id": each, "words": before[each]} for each in changed])
        session.execute(ADD["sqlite"], [{"id": each, "words": after[each]} for each in changed])
    else:
        session.execute(CHANGE, [{"id": each, "words": after[each]} for each in changed])


def forget(session: WriteSession, project_id: int, item_ids: Sequence[int]) -> None:
    """Take items out of the index, before their rows go."""
    numbers.change(session, _numbers_of(session, project_id, item_ids), {})
    if session.get_bind().dialect.name != "sqlite":
        session.execute(text("DELETE FROM item_words WHERE item_id = ANY(:ids)"), {"ids": list(item_ids)})
        return
    seen = reach(session, project_id).to
    terms = _terms_of(session, project_id, [each for each in item_ids if each <= seen])
    if terms:
        session.execute(FORGET, [{"id": each, "words": words} for each, words in terms.items()])


def run(running: Running) -> Done | More:
    """Work one slice: the words of the next items, in short transactions that hold the items' content still."""
    assert running.project_id is not None
    last = _last_seen(running)
    deadline = time.monotonic() + SLICE_SECONDS
    while time.monotonic() < deadline:
        if _chunk(running, last) >= last:
            return Done({"indexed_to": last})
    return More()


def _last_seen(running: Running) -> int:
    """The newest item's id, once no transaction is left that may still insert one with a lower id."""
    assert running.project_id is not None
    with running.db.write() as session:
        running.checkpoint(session)
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:lock, :project)"), _key(running.project_id))
        known = select(SearchIndex.project_id).where(SearchIndex.project_id == running.project_id)
        if session.execute(known).first() is None:
            session.execute(insert(SearchIndex).values(project_id=running.project_id, indexed_to=0))
        return reach(session, running.project_id).last


def _chunk(running: Running, last: int) -> int:
    """Add the next items; up to which id the index goes now."""
    assert running.project_id is not None
    project_id = running.project_id
    with running.db.write() as session:
        before = reach(session, project_id)
        to = min(before.to, before.numbers)
        rows = session.execute(
            select(Item.id, Item.key, Item.payload, Item.meta)
            .where(Item.project_id == project_id, Item.id > to, Item.id <= last)
            .order_by(Item.id)
            .limit(CHUNK)
        ).all()
        to = rows[-1].id if len(rows) == CHUNK else max(last, to)
        running.checkpoint(session, progress={"step": "search", "done": to, "total": last})
        worded = [row for row in rows if row.id > before.to]
        if worded:
            add = ADD[session.get_bind().dialect.name]
            session.execute(add, [{"id": row.id, "words": _terms(project_id, row)} for row in worded])
        fields: dict[str, int] = {}
        numbers.add(
            session, ((row.id, numbers.of(project_id, row.meta, fields)) for row in rows if row.id > before.numbers)
        )
        reached = {"indexed_to": max(to, before.to), "numbers_to": max(to, before.numbers)}
        session.execute(update(SearchIndex).where(SearchIndex.project_id == project_id).values(**reached))
    return to


def _numbers_of(session: Session, project_id: int, item_ids: Sequence[int]) -> dict[int, numbers.Numbers]:
    rows = session.execute(select(Item.id, Item.meta).where(Item.id.in_(item_ids))).all() if item_ids else ()
    return {row.id: numbers.of(project_id, row.meta) for row in rows}


def _terms_of(session: Session, project_id: int, item_ids: Sequence[int]) -> dict[int, str]:
    columns = (Item.id, Item.key, Item.payload, Item.meta)
    rows = session.execute(select(*columns).where(Item.id.in_(item_ids))).all()
    return {row.id: _terms(project_id, row) for row in rows}


def _terms(project_id: int, row: Row[Any]) -> str:
    """All that an item is found by, each with its project's number, with spaces between; at most MAX_BYTES."""
    found = {f"{project_id}_{word}" for part in _texts(row.key, row.payload) for word in words(part)}
    found |= {with_value(project_id, name, value) for name, value in row.meta.items() if _is_plain(value)}
    written = " ".join(sorted(found))
    if len(written) * 4 > MAX_BYTES and len(written.encode()) > MAX_BYTES:
        written = written.encode()[:MAX_BYTES].decode(errors="ignore").rpartition(" ")[0]
    return written


def _texts(key: str, payload: Mapping[str, Any]) -> Iterable[str]:
    """What a person reads of an item: its key, and its text, the name of its file, or the values of its row."""
    yield key
    for field, value in payload.items():
        if field == "text" and isinstance(value, str):
            yield value
        elif field == CANDIDATES:
            yield from value
        elif field == "row" and isinstance(value, dict):
            yield from (str(each) for each in value.values() if each is not None)
        elif isinstance(value, dict):
            yield str(value.get("name") or "")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not (isinstance(value, int) and abs(value) > 2**1000)


def _written(value: str | float | bool) -> tuple[str, str]:
    """A value as a filter compares it: truth as its word, numbers by their size."""
    if isinstance(value, bool):
        return "t", "true" if value else "false"
    return ("t", value) if isinstance(value, str) else ("n", repr(float(value)))


def _part(part: str, dialect: str) -> str:
    """A part in the database's own language; it holds letters, digits and `_` alone, so no sign can be smuggled in."""
    bare = part.removesuffix("*")
    if dialect == "sqlite":
        return f'"{bare}"*' if bare != part else f'"{bare}"'
    return f"'{bare}':*" if bare != part else f"'{bare}'"


def _key(project_id: int) -> dict[str, int]:
    return {"lock": LOCK, "project": project_id % 2**31}
