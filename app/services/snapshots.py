"""Snapshots: named data sets with splits that stay as they were, to download, and to compare with one another.

All of it is for managers: the split of an open item can tell that it is in the audit share.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Invalid, NotFound
from app.core.settings import Settings
from app.core.text import check_text
from app.db import Database, Job, Project, Snapshot, User, WriteSession
from app.db.session import now
from app.formats import FORMATS
from app.modalities import MODALITIES, files
from app.quality.splits import check_splits
from app.services import audit, exports, jobs, snapping, snapshot_files, tasks
from app.services.access import Person, project_for
from app.task_types import Question

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
LIVE = ("waiting", "running")
NAMED = 1_000  # differences that are listed of each kind


@dataclass(frozen=True)
class Shown:
    """A snapshot as the API shows it. `state` is making, ready, or failed with its reason."""

    id: int
    name: str
    state: str
    reason: str | None
    job: int
    progress: dict[str, Any] | None
    filter: str
    splits: dict[str, float] | None
    group_by: str | None
    items: int | None
    erased: int
    bytes: int | None
    sha256: str | None
    report: dict[str, Any] | None
    created_by: str | None
    created_at: datetime
    made_at: datetime | None


@dataclass
class Differences:
    """What one snapshot has (`added`), lacks (`removed`) and labels otherwise (`changed`) than another.

    The counts are whole, the lists have the first thousand; `moved` items have another split, `same` the same label.
    """

    added_count: int = 0
    removed_count: int = 0
    changed_count: int = 0
    moved: int = 0
    same: int = 0
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)


def create(
    session: WriteSession,
    person: Person,
    ref: int | str,
    name: str,
    filter_text: str,
    splits: dict[str, float] | None,
    group_by: str | None,
) -> int:
    """Ask for a snapshot of what the project holds when its job begins; the id of the job.

    Raises:
        Invalid: the name, the filter, the splits or the column to group by will not do.
        Conflict: the name is taken; a snapshot that failed gives its name free.
    """
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    if not NAME.fullmatch(name):
        raise Invalid("name is letters, digits, dot, - and _, 100 at most", fields={"name": "not a name"})
    snapping.conditions(session, project, filter_text)
    shares = None if splits is None else check_splits(splits)
    if group_by is not None:
        if shares is None:
            raise Invalid("group_by needs splits to divide the groups among", fields={"splits": "missing"})
        if not check_text(group_by, what="group_by", limit=1_000):
            raise Invalid("group_by is the name of a metadata field", fields={"group_by": "empty"})
    _free_name(session, project, name)
    job = jobs.enqueue(session, "snapshot", project.id, created_by=person.id)
    assert job is not None  # only rounds and featurize passes wait once
    session.add(
        Snapshot(
            project_id=project.id,
            name=name,
            filter=filter_text,
            splits=shares,
            group_by=group_by,
            job_id=job,
            created_by=person.id,
            created_at=now(session),
        )
    )
    audit.record(session, "snapshot.created", person.id, project_id=project.id, job=job)
    return job


def listed(session: Session, person: Person, ref: int | str, limit: int, before: int | None) -> Sequence[Shown]:
    """Snapshots with ids below `before`, newest first."""
    project = project_for(session, person, ref, "manager")
    statement = _select(project).order_by(Snapshot.id.desc()).limit(limit)
    rows = session.execute(statement if before is None else statement.where(Snapshot.id < before))
    return [_shown(row) for row in rows]


def one(session: Session, person: Person, ref: int | str, name: str) -> Shown:
    """A snapshot by name; raises NotFound."""
    project = project_for(session, person, ref, "manager")
    return _shown(_row(session, project, name))


def remove(db: Database, settings: Settings, person: Person, ref: int | str, name: str) -> None:
    """Delete a snapshot with its file, or stop one that is being made."""
    person.need("manage")
    with db.write() as session:
        project = project_for(session, person, ref, "manager")
        found: Snapshot = _row(session, project, name).Snapshot
        file, project_id = found.file, project.id
        jobs.cancel(session, found.job_id)
        session.delete(found)
        audit.record(session, "snapshot.deleted", person.id, project_id=project.id, job=found.job_id)
    snapshot_files.remove(settings, project_id, file)


def write(
    db: Database,
    settings: Settings,
    person: Person,
    ref: int | str,
    name: str,
    *,
    kind: str,
    split: str | None,
    raw: bool,
) -> tuple[Path, str, str]:
    """Write a snapshot, or one split of it, to a private file; the path, the media type and a name for people.

    Whole and as JSONL it has the snapshot's SHA-256, unless items of it were erased.

    Raises:
        Invalid: no such format or split.
        Conflict: it is not ready.
        Unavailable: the disk is full, or the snapshot's file is gone.
    """
    exports.check_format(kind)
    with db.read() as session:
        project, found = _ready(session, person, ref, name)
        asked = tasks.questions(session, project)
    splits = (found.report or {}).get("splits", {})
    if split is not None and split not in splits:
        raise Invalid(f"the splits are {', '.join(splits)}", fields={"split": "unknown"})
    lines = (line for _, line in snapshot_files.lines(settings, project.id, found.file or ""))
    with exports.spooled(settings) as (path, file):
        if kind == "jsonl":
            file.writelines(line for line in lines if split is None or orjson.loads(line)["split"] == split)
        else:
            names = _columns(project, asked)
            wanted = (row for row in map(orjson.loads, lines) if split in (None, row["split"]))
            flat = exports.flattened(wanted, asked, kind)
            rows = ({each: row.get(each) for each in names} for row in flat)
            exports.write_rows(rows, file, kind, raw=raw, names=names)
    with db.write() as session:
        made = {"snapshot": found.id, "split": split, "format": kind}
        audit.record(session, "snapshot.exported", person.id, project_id=project.id, **made)
    part = f"-{split}" if split else ""
    return path, FORMATS[kind].media_type, f"{project.slug}-{name}{part}.{exports.SUFFIX[kind]}"


def diff(db: Database, settings: Settings, person: Person, ref: int | str, name: str, other: str) -> Differences:
    """What a snapshot has other than another one of the project. A pass over both files, side by side.

    Raises:
        Conflict: one of them is not ready.
    """
    with db.read() as session:
        project, mine = _ready(session, person, ref, name)
        _, theirs = _ready(session, person, ref, other)
    found = Differences()
    for here, there in _side_by_side(
        snapshot_files.lines(settings, project.id, mine.file or ""),
        snapshot_files.lines(settings, project.id, theirs.file or ""),
    ):
        _compare(found, here, there)
    return found


def _columns(project: Project, asked: Sequence[Question]) -> list[str]:
    content = MODALITIES[project.modality].field
    first = ["key", content, "sha256"] if content in files.FIELDS else ["key", content]
    candidates = ["candidates"] if tasks.compares(asked) else []
    return [*first, *candidates, *exports.label_columns(asked), "votes", "agreement", "disputed", "split", "metadata"]


def _compare(found: Differences, here: bytes | None, there: bytes | None) -> None:
    """Count a row of one snapshot and of the other, None where it has none."""
    if here is not None and here == there:
        found.same += 1
        return
    new: Any = here and orjson.loads(here)
    old: Any = there and orjson.loads(there)
    if old is None:
        _note(found, "added", new["key"])
        return
    if new is None:
        _note(found, "removed", old["key"])
        return
    found.moved += new["split"] != old["split"]
    if new["label"] == old["label"]:
        found.same += 1
    else:
        _note(found, "changed", {"key": new["key"], "before": old["label"], "after": new["label"]})


def _note(found: Differences, what: str, entry: Any) -> None:
    count = f"{what}_count"
    setattr(found, count, getattr(found, count) + 1)
    if len(shown := getattr(found, what)) < NAMED:
        shown.append(entry)


Line = tuple[int, bytes]


def _side_by_side(mine: Iterator[Line], theirs: Iterator[Line]) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Rows of both by item; ids ascend in each, and a deleted item's id never comes back."""
    here, there = next(mine, None), next(theirs, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here[0] < there[0]):
            assert here is not None
            yield here[1], None
            here = next(mine, None)
        elif here is None or there[0] < here[0]:
            yield None, there[1]
            there = next(theirs, None)
        else:
            yield here[1], there[1]
            here, there = next(mine, None), next(theirs, None)


def _free_name(session: WriteSession, project: Project, name: str) -> None:
    """Raise Conflict where a snapshot of that name is ready or being made; one that failed makes room."""
    with suppress(NotFound):
        row = _row(session, project, name)
        if row.Snapshot.sha256 is not None or row.job_state in LIVE:
            raise Conflict(f"there is a snapshot {name!r} already: choose another name", fields={"name": "taken"})
        session.delete(row.Snapshot)
        session.flush()


def _ready(session: Session, person: Person, ref: int | str, name: str) -> tuple[Project, Snapshot]:
    project = project_for(session, person, ref, "manager")
    row = _row(session, project, name)
    if row.Snapshot.sha256 is None:
        shown = _shown(row)
        raise Conflict(f"the snapshot {name!r} is not ready: {shown.reason or shown.state}")
    return project, row.Snapshot


def _select(project: Project) -> Select[Any]:
    columns = (Job.state.label("job_state"), Job.reason.label("job_reason"), Job.progress, User.name.label("maker"))
    statement: Select[Any] = select(Snapshot, *columns)
    return (
        statement.join(Job, Job.id == Snapshot.job_id)
        .outerjoin(User, User.id == Snapshot.created_by)
        .where(Snapshot.project_id == project.id)
    )


def _row(session: Session, project: Project, name: str) -> Row[Any]:
    row = session.execute(_select(project).where(Snapshot.name == name)).first()
    if row is None:
        raise NotFound("there is no such snapshot")
    return row


def _shown(row: Row[Any]) -> Shown:
    stored: Snapshot = row.Snapshot
    state = "ready" if stored.sha256 is not None else "making" if row.job_state in LIVE else "failed"
    return Shown(
        id=stored.id,
        name=stored.name,
        state=state,
        reason=row.job_reason if state != "ready" else None,
        job=stored.job_id,
        progress=row.progress if state == "making" else None,
        filter=stored.filter,
        splits=stored.splits,
        group_by=stored.group_by,
        items=stored.items,
        erased=stored.erased,
        bytes=stored.bytes,
        sha256=stored.sha256,
        report=stored.report,
        created_by=row.maker,
        created_at=stored.created_at,
        made_at=stored.made_at,
    )
