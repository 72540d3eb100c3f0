"""Pushed predictions of outside models: version by version, in shards of arrays, switched when complete.

A push writes its shards first and names them in one short transaction; with `complete` the same transaction asks for
the round that uses them. So a push that is cut off or refused leaves the version before it in use.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
from sqlalchemy import Table, bindparam, or_, select, text, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.arrays import Indices
from app.core.errors import Conflict, Invalid, Unavailable, WrongType
from app.core.settings import Settings
from app.core.text import check_text, write_json
from app.db import (
    Database,
    Item,
    PredictionSet,
    Project,
    QueueEntry,
    Round,
    Serving,
    WriteSession,
)
from app.db.session import now
from app.formats import Format
from app.formats.probabilities import Chunk, Classes, read
from app.learners import EXTERNAL
from app.services import rounds, tasks, versions
from app.services.access import Person, project_for
from app.services.applying import Report
from app.services.shards import ShardWriter
from app.services.versions import set_folder

KINDS = ("jsonl", "json", "parquet")
USES = ("rank", "suggest", "both")

ITEMS = {
    "sqlite": text("""
        SELECT key, id, revision FROM items
        WHERE project_id = :project AND state != 'deleted' AND key IN (SELECT value FROM json_each(:keys))
    """),
    "postgresql": text("""
        SELECT key, id, revision FROM items
        WHERE project_id = :project AND state != 'deleted'
          AND key IN (SELECT jsonb_array_elements_text(CAST(:keys AS jsonb)))
    """),
}


@dataclass(frozen=True)
class Push:
    """What a request says of its rows: whose they are, for which round, what for, and whether they are the last."""

    model: str
    version: str
    round: int | None
    use: str
    complete: bool


@dataclass(frozen=True)
class Pushed:
    """What became of a push; `round_job` runs the round that uses the version, once it is complete."""

    set: PredictionSet
    report: Report
    round_job: int | None


def check_may_push(db: Database, person: Person, project_ref: int | str, kind: Format | None) -> None:
    """Raise Forbidden, NotFound or WrongType before a byte of the body is read."""
    person.need("import")
    if kind is not None and kind.name not in KINDS:
        raise WrongType("send predictions as application/x-ndjson, application/json or application/vnd.apache.parquet")
    with db.read() as session:
        project_for(session, person, project_ref, "manager")


def push(
    db: Database,
    settings: Settings,
    person: Person,
    project_ref: int | str,
    path: Path,
    kind: Format | None,
    given: Push,
    digest: str,
) -> Pushed:
    """Store the rows of a spooled file (none where `kind` is None) and, with `complete`, switch to the version.

    A row that does not fit is refused by name, the others are stored. Memory is bounded by a shard. The same
    completing request sent twice is answered as the first one was.

    Raises:
        Conflict: the version is complete, was begun otherwise, or does not fit the project or the round.
        Invalid: a name is not allowed, or a version would be complete without a row.
        InvalidFile: the file is broken as a whole; nothing of it is stored.
        Unavailable: the disk is full.
    """
    check_push(given)
    with db.write() as session:
        project = project_for(session, person, project_ref, "manager")
        chosen, classes = _open(session, project, person, given)
        if chosen.state == "complete":
            return _again(session, chosen, digest)
        project_id, set_id, folder = project.id, chosen.id, set_folder(settings, project.id, chosen.folder)
        writing = ShardWriter(folder, chosen.width if chosen.rows else None)
    report = Report()
    try:
        if kind is not None:
            with path.open("rb") as file:
                chunks = read(kind, file, classes, max_line_bytes=settings.import_line_bytes)
                _write(db, project_id, chunks, writing, report)
        with db.write() as session:
            pushed = _keep(session, project_id, set_id, writing, report, given, digest)
            if given.complete and given.use == "suggest":
                _suggest(session, settings, project_id)
            return pushed
    except OSError as error:
        writing.forget()
        raise Unavailable(f"the server's disk is full: nothing was stored ({error.strerror})") from None
    except BaseException:
        writing.forget()
        raise


def check_push(given: Push) -> None:
    """Raise Invalid for a name, a version or a use that cannot be stored."""
    if given.use not in USES:
        raise Invalid(f"use is one of {', '.join(USES)}", fields={"use": given.use[:50]})
    for what in ("model", "version"):
        if not check_text(getattr(given, what), what=what, limit=100).strip():
            raise Invalid(f"{what} is empty", fields={what: "must not be empty"})


def _open(session: WriteSession, project: Project, person: Person, given: Push) -> tuple[PredictionSet, Classes]:
    """The version that the rows belong to, begun where there is none of its name, and how its rows are read."""
    question = tasks.driving(tasks.questions(session, project))
    class_ids = [each.number for each in tasks.classes_of(session, project.id, retired=False, question=question.id)]
    if (silence := tasks.silence(tasks.questions(session, project))) is not None:
        raise Conflict(f"{silence[0].lower()}{silence[1:].removesuffix('.')}; there is nothing to predict")
    _check_fits(session, project, given, class_ids)
    insert_for = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    begun = insert_for(PredictionSet).values(
        project_id=project.id,
        model=given.model,
        version=given.version,
        round_number=given.round,
        use=given.use,
        state="open",
        folder=uuid4().hex,
        class_ids=class_ids,
        rows=0,
        rejected=0,
        created_by=person.id,
        created_at=now(session),
    )
    session.execute(begun.on_conflict_do_nothing())
    named = (PredictionSet.project_id == project.id, PredictionSet.model == given.model)
    chosen = session.execute(select(PredictionSet).where(*named, PredictionSet.version == given.version)).scalar_one()
    if chosen.state == "open" and (chosen.class_ids != class_ids or chosen.use != given.use):
        what = "use" if chosen.use != given.use else "classes"
        raise Conflict(f"version {given.version!r} was begun with other {what}: push a new version")
    place = {number: column for column, number in enumerate(class_ids)}
    columns = {name: place[number] for name, number in question.aliases.items() if number in place}
    return chosen, Classes(len(class_ids), columns, bool(question.options.get("multiple")))


def _check_fits(session: Session, project: Project, given: Push, class_ids: list[int]) -> None:
    if not class_ids:
        raise Conflict("the project has no classes yet: add them first")
    if given.use != "suggest" and project.learner.get("name") != EXTERNAL:
        raise Conflict(
            "this project's own learner ranks its items: set learner to external first, or push with use=suggest"
        )
    if given.round is None:
        return
    row = session.execute(
        select(Round.state).where(Round.project_id == project.id, Round.number == given.round)
    ).scalar_one_or_none()
    complete = select(PredictionSet.id).where(
        PredictionSet.project_id == project.id,
        PredictionSet.model == given.model,
        PredictionSet.version == given.version,
        PredictionSet.state == "complete",
    )
    if row != "waiting_for_predictions" and session.execute(complete).first() is None:
        said = f"round {given.round} is {row}" if row else f"there is no round {given.round}"
        raise Conflict(f"{said}: it waits for no predictions; leave `round` out to order the items anew by them")


def _again(session: WriteSession, chosen: PredictionSet, digest: str) -> Pushed:
    """The answer to the request that made a version complete, sent once more."""
    if chosen.completed_by != digest:
        raise Conflict(f"version {chosen.version!r} of {chosen.model!r} is complete: push a new version")
    session.expunge(chosen)
    return Pushed(chosen, Report(), None)


def _write(db: Database, project_id: int, chunks: Iterator[Chunk], writing: ShardWriter, report: Report) -> None:
    for chunk in chunks:
        for line, key, error in chunk.refused:
            report.reject(line, key, error)
        ids = _identities(db, project_id, chunk.keys)
        good = ids[:, 0] > 0
        if not good.all():
            for row in np.flatnonzero(~good):
                report.reject(int(chunk.lines[row]), chunk.keys[row], "there is no item with this key")
        width = 0 if chunk.features is None else int(chunk.features.shape[1])
        if good.any() and writing.width is None:
            writing.width = width
        if width != writing.width:
            for row in np.flatnonzero(good):
                reason = f"features has {width:,} numbers; the first row of this version has {writing.width or 0:,}"
                report.reject(int(chunk.lines[row]), chunk.keys[row], reason)
            continue
        features = None if chunk.features is None else chunk.features[good]
        writing.take(ids[good], chunk.probabilities[good], features)
    writing.flush()


def _identities(db: Database, project_id: int, keys: list[str]) -> Indices:
    """Item, unit and revision (n, 3) of each key; zeros for one that no item has."""
    ids = np.zeros((len(keys), 3), dtype=np.int64)
    if not keys:
        return ids
    with db.read() as session:
        statement = ITEMS[session.get_bind().dialect.name]
        asked = [key for key in keys if "\x00" not in key]  # no item has such a key, and PostgreSQL reads none
        rows = session.execute(statement, {"project": project_id, "keys": write_json(asked)}).all()
    known = {key: (number, revision) for key, number, revision in rows}
    for place, key in enumerate(keys):
        found = known.get(key)
        if found is not None:
            ids[place] = found[0], 0, found[1]
    return ids


def _keep(
    session: WriteSession,
    project_id: int,
    set_id: int,
    writing: ShardWriter,
    report: Report,
    given: Push,
    digest: str,
) -> Pushed:
    """Name the shards of a push and, with `complete`, make the version the one that counts; one transaction."""
    moment = now(session)
    stored: dict[str, Any] = {
        "rows": PredictionSet.rows + writing.rows,
        "rejected": PredictionSet.rejected + report.rejected_count,
    }
    if writing.rows:
        stored["width"] = writing.width
    if given.complete:
        stored |= {"state": "complete", "completed_at": moment, "completed_by": digest}
    fits = or_(PredictionSet.rows == 0, PredictionSet.width == writing.width) if writing.rows else true()
    changed = session.execute(
        update(PredictionSet)
        .where(PredictionSet.id == set_id, PredictionSet.state == "open", fits)
        .values(stored)
        .returning(PredictionSet)
    ).scalar_one_or_none()
    if changed is None:
        raise Conflict(f"version {given.version!r} was completed, or begun otherwise, meanwhile: push a new version")
    if given.complete and changed.rows == 0:
        raise Invalid(
            "no row of this version could be used, so the one before stays in use",
            rejected=report.rejected[:20],
            rejected_count=report.rejected_count,
        )
    writing.name(session, set_id, moment)
    job = None
    if given.complete and given.use != "suggest":
        job = rounds.run_with(session, project_id, set_id)
    session.flush()
    session.refresh(changed)
    session.expunge(changed)
    report.rejected.sort(key=lambda row: row["line"])
    return Pushed(changed, report, job)


def _suggest(session: WriteSession, settings: Settings, project_id: int) -> None:
    """Put what the version says beside the items of the order that is served now."""
    current = session.execute(
        select(Serving.round_id, Round.class_ids)
        .join(Round, Round.id == Serving.round_id)
        .where(Serving.project_id == project_id)
    ).one_or_none()
    if current is None:
        return
    columns = (QueueEntry.rank, QueueEntry.item_id, QueueEntry.unit, QueueEntry.probabilities, Item.revision)
    found = session.execute(
        select(*columns)
        .join(Item, Item.id == QueueEntry.item_id)
        .where(QueueEntry.round_id == current.round_id, ~QueueEntry.done)
    ).all()
    rows: list[dict[str, Any]] = [dict(row._mapping) for row in found]
    said = versions.suggest(session, settings, project_id, current.class_ids, rows)
    table = cast(Table, QueueEntry.__table__)
    place = (table.c.round_id == current.round_id, table.c.rank == bindparam("place"))
    values = [{"place": row["rank"], "said": row["probabilities"]} for row in said]
    if values:
        session.connection().execute(update(table).where(*place).values(probabilities=bindparam("said")), values)
