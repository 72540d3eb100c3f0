"""The job that makes a snapshot: one pass over the items as of one moment, in memory that does not grow with them."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, func, or_, select, update
from sqlalchemy.orm import Session

from app.core import filters as grammar
from app.db import Item, Project, Snapshot
from app.db.session import now
from app.modalities import files
from app.quality.splits import Division, Meetings
from app.services import consensus, exports, filters, snapshot_files, tasks
from app.services.jobs import Done, JobFailed, Running
from app.services.snapshot_files import RowFile

LOOK_ROWS = 1_000
PROGRESS_SECONDS = 2.0
TEST, TRAIN = "test", "train"
NAMED_GROUPS, NAMED_ITEMS = 50, 5  # of the likes that stand in several splits
IN_AUDIT = or_(Item.split == "audit", Item.reserved)


@dataclass
class _Splitter:
    """Says which split a row belongs to, and counts.

    With groups, the draw of the group decides for all its rows. Without, rows with equal fingerprints are a group, and
    the audit share and the client's own test set are the split `test`, where there is one.
    """

    division: Division | None
    rest: Division | None
    group_by: str | None
    names: list[str]
    grouped: int = 0
    audit: int = 0
    items: Counter[str] = field(default_factory=Counter)
    labelled: Counter[str] = field(default_factory=Counter)

    def of(self, item: Row[Any]) -> str:
        audit = bool(item.reserved or item.split == "audit")
        self.audit += audit
        group = item.meta.get(self.group_by) if self.group_by is not None else None
        if group is not None:
            self.grouped += 1
            alike = f"group {orjson.dumps(group, option=orjson.OPT_SORT_KEYS).decode()}"
        else:
            alike = f"content {item.fingerprint or item.key}"
        if self.division is None:
            return TEST if audit else TRAIN
        if self.rest is None:
            return self.division.of(alike)
        return TEST if audit else self.rest.of(alike)


def run(running: Running) -> Done:
    """Write the rows, hash them, look for likes across splits, and let the file's name be known: in one commit.

    Cost: a pass over the project's items. Rounds of this worker wait for it.

    Raises:
        JobFailed: the snapshot was deleted, the disk is full, or no item has the metadata to group by.
    """
    with running.db.read() as session:
        consensus.one_moment(session)
        snapshot = session.execute(select(Snapshot).where(Snapshot.job_id == running.id)).scalar_one_or_none()
        if snapshot is None:
            raise JobFailed("the snapshot was deleted")
        project = session.get_one(Project, snapshot.project_id)
        file = RowFile(running.settings, project.id)
        try:
            report = _write(running, session, project, snapshot, file)
            name, digest, size = file.keep()
        except OSError as error:
            raise JobFailed(f"the disk has no room for the snapshot: {error.strerror}") from None
        finally:
            file.drop()
    with running.db.write() as session:
        running.checkpoint(session)
        values = {"sha256": digest, "file": name, "bytes": size, "items": file.rows, "report": report}
        made = update(Snapshot).where(Snapshot.job_id == running.id, Snapshot.sha256.is_(None))
        kept = session.execute(made.values(**values, made_at=now(session)).returning(Snapshot.id)).first()
    if kept is None:
        snapshot_files.remove(running.settings, project.id, name)
        raise JobFailed("the snapshot was deleted")
    return Done({"name": snapshot.name, "sha256": digest, "items": file.rows})


def conditions(session: Session, project: Project, text: str) -> list[ColumnElement[bool]]:
    """What must hold of an item; those left out of the pool come along only where the filter asks for them."""
    wanted = grammar.parse(text)
    found = filters.conditions(session, project, wanted)
    return found if {"state", "status"} & set(wanted.names) else [*found, Item.state == "open"]


def _write(running: Running, session: Session, project: Project, snapshot: Snapshot, file: RowFile) -> dict[str, Any]:
    which = conditions(session, project, snapshot.filter)
    total = session.execute(select(func.count()).where(Item.project_id == project.id, *which)).scalar_one()
    asked = tasks.questions(session, project)
    splitter = _splitter(session, project, snapshot, which)
    meetings = Meetings()
    disputed, told = 0, time.monotonic()
    for item, answers in consensus.walk(session, project, which):
        agreed = consensus.shown(answers, asked)
        split = splitter.of(item)
        splitter.items[split] += 1
        splitter.labelled[split] += agreed["label"] is not None
        disputed += agreed["disputed"]
        if item.fingerprint:
            meetings.add(item.id, item.fingerprint, splitter.names.index(split))
        file.add(item.id, _row(item, agreed, split))
        if file.rows % LOOK_ROWS == 0 and time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            fraction = round(file.rows / max(1, total), 3)
            running.report({"step": "write", "fraction": fraction, "done": file.rows, "total": total})
    if snapshot.group_by is not None and file.rows and not splitter.grouped:
        raise JobFailed(f"no item has metadata {snapshot.group_by[:80]!r} to group by")
    return {
        "labelled": splitter.labelled.total(),
        "disputed": disputed,
        "audit": splitter.audit,
        "grouped": splitter.grouped,
        "splits": {
            name: {"items": splitter.items[name], "labelled": splitter.labelled[name]} for name in splitter.names
        },
        "leaks": _leaks(session, meetings, splitter.names),
    }


def _splitter(
    session: Session, project: Project, snapshot: Snapshot, which: Sequence[ColumnElement[bool]]
) -> _Splitter:
    shares: dict[str, float] | None = snapshot.splits
    if shares is None:
        return _Splitter(None, None, None, [TRAIN, TEST])
    rest = {name: share for name, share in shares.items() if name != TEST}
    audited = select(Item.id).where(Item.project_id == project.id, IN_AUDIT, *which).limit(1)
    by_audit = TEST in shares and rest and snapshot.group_by is None and session.execute(audited).first() is not None
    return _Splitter(
        Division(shares, project.seed),
        Division(rest, project.seed) if by_audit else None,
        snapshot.group_by,
        list(shares),
    )


def _row(item: Row[Any], agreed: dict[str, Any], split: str) -> dict[str, Any]:
    """What a snapshot keeps: no names of annotators, which erasure of a person could not reach."""
    file = files.file_in(item.payload)
    held = {} if file is None else file[1]
    stored = {} if file is None else {"version" if "bucket" in held else "sha256": held.get("sha256")}
    return {
        "key": item.key,
        **exports.content(item.payload),
        **stored,
        **agreed,
        "split": split,
        "metadata": item.meta,
    }


def _leaks(session: Session, meetings: Meetings, names: Sequence[str]) -> dict[str, Any]:
    """Near-identical items that stand in several splits: their number, and the first groups by name."""
    groups, items, found = meetings.across(NAMED_GROUPS, NAMED_ITEMS)
    ids = [row for group in found for row, _ in group]
    keys = {row.id: row.key for row in session.execute(select(Item.id, Item.key).where(Item.id.in_(ids)))}
    named = [[{"key": keys[row], "split": names[split]} for row, split in group] for group in found]
    return {"groups": groups, "items": items, "named": named}


def forget(running: Running, item_id: int) -> int:
    """Take an erased item's rows out of every snapshot of its project; how many held one. A pass over each file."""
    assert running.project_id is not None
    with running.db.read() as session:
        mine = (Snapshot.project_id == running.project_id, Snapshot.file.is_not(None))
        found = session.execute(select(Snapshot.id, Snapshot.file).where(*mine)).all()
    return sum(_without(running, row.id, row.file, item_id) for row in found)


def _without(running: Running, snapshot_id: int, name: str, item_id: int) -> bool:
    assert running.project_id is not None
    settings, project_id = running.settings, running.project_id
    if not (snapshot_files.folder(settings, project_id) / name).exists():
        return False
    if all(number != item_id for number, _ in snapshot_files.lines(settings, project_id, name)):
        return False
    file = RowFile(settings, project_id)
    try:
        for number, line in snapshot_files.lines(settings, project_id, name):
            if number != item_id:
                file.add_line(number, line)
        fresh, _, size = file.keep()
    finally:
        file.drop()
    with running.db.write() as session:
        running.checkpoint(session)
        changed = update(Snapshot).where(Snapshot.id == snapshot_id, Snapshot.file == name)
        session.execute(changed.values(file=fresh, bytes=size, erased=Snapshot.erased + 1))
    snapshot_files.remove(settings, project_id, name)
    return True
