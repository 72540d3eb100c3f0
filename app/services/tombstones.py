"""The list of who and what was erased: a file beside the database, so that a restored backup brings nobody back.

A line names an item or a person by number and by the moment it was made, as a database that was put back may give the
same number to somebody else. It holds nothing of what was erased.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.core.settings import Settings
from app.db import Database, Item, User, WriteSession
from app.services import erasing, people

NAME = "erased.jsonl"
BATCH = 200
KINDS = {"item": Item, "user": User}


def file_of(settings: Settings) -> Path:
    """Where the list lies."""
    return settings.data / NAME


def lines(file: Path) -> Iterator[tuple[str, int, str]]:
    """Kind, number and moment of each line; what a cut write left at the end is passed over."""
    if not file.exists():
        return
    with file.open() as source:
        for line in source:
            try:
                found = json.loads(line)
                yield str(found["kind"]), int(found["id"]), str(found["made"])
            except (ValueError, KeyError, TypeError):
                continue


def adopt(settings: Settings, others: Iterable[tuple[str, int, str]]) -> int:
    """Add what other lists hold and this one does not; how many lines came."""
    known = set(lines(file_of(settings)))
    new = [each for each in dict.fromkeys(others) if each not in known and each[0] in KINDS]
    erasing.write_tombstones(settings, new)
    return len(new)


def apply(db: Database, settings: Settings) -> int:
    """Erase again what the list names and the database holds still; how many. For the start after a restore.

    O(lines) look-ups by primary key; nothing is written where nothing came back.
    """
    named = list(dict.fromkeys(lines(file_of(settings))))
    again = 0
    for kind, table in KINDS.items():
        made = {number: moment for each, number, moment in named if each == kind}
        numbers = sorted(made)
        for start in range(0, len(numbers), BATCH):
            back = _back(db, table, {number: made[number] for number in numbers[start : start + BATCH]})
            if back:
                with db.write() as session:
                    _erase(session, kind, back)
            again += len(back)
    return again


def _back(db: Database, table: Any, made: dict[int, str]) -> list[int]:
    with db.read() as session:
        rows = session.execute(select(table).where(table.id.in_(list(made)))).scalars()
        return [row.id for row in rows if row.created_at == datetime.fromisoformat(made[row.id]) and not _is_gone(row)]


def _is_gone(row: Item | User) -> bool:
    return erasing.is_empty(row) if isinstance(row, Item) else row.erased_at is not None


def _erase(session: WriteSession, kind: str, numbers: Sequence[int]) -> None:
    for number in numbers:
        if kind == "item":
            item = session.get_one(Item, number)
            item.state = "deleted"
            erasing.empty(session, item)
        else:
            people.forget(session, session.get_one(User, number))
