"""Rows of an import into tables: by key, whole batches at a time, in the caller's transaction."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from app.core.text import write_json
from app.db import Annotation, Item, Project, WriteSession
from app.loop.serving import audit_reserved, draw
from app.services import closing, fitting, leases, reaching, search, tasks, vectors
from app.services.rows import ImportedLabel, PreparedRow
from app.task_types import Question

COLUMNS = "project_id, key, payload, content_hash, fingerprint, metadata, split, reserved, draw, state, priority"
FIXED = "revision, done, skips, origin, created_at, updated_at"
# The statement goes to the driver as it is: SQLAlchemy's own handling of each row costs more than the database's.
SQLITE_INSERT = f"INSERT INTO items ({COLUMNS}, {FIXED}) VALUES (?,?,?,?,?,?,?,?,?,?,?, 1, 0, 0, 'real', ?, ?)"  # noqa: S608  # constants of this file
POSTGRESQL_INSERT = f"""
    INSERT INTO items ({COLUMNS}, {FIXED})
    SELECT *, 1, false, 0, 'real', %s::timestamptz, %s::timestamptz
    FROM unnest(%s::bigint[], %s::text[], %s::jsonb[], %s::text[], %s::text[], %s::jsonb[], %s::text[], %s::bool[],
                %s::bigint[], %s::text[], %s::bigint[])
    ON CONFLICT DO NOTHING RETURNING key
"""  # noqa: S608  # constants of this file
NO_ITEM = "there is no item with this key to label"
HAS_ANSWERS = "the content changed and the item has answers: send it with on_change=replace"


@dataclass
class Outcome:
    """What became of a batch of rows; `refused` names line, key and reason."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Stored:
    """The newest version of one imported answer."""

    answer_id: UUID
    version: int
    revision: int
    label: dict[str, Any]


def store(
    session: WriteSession, project: Project, batch: Sequence[PreparedRow], *, replace: bool, moment: datetime
) -> Outcome:
    """Store rows by key: new ones are inserted, changed ones updated, equal ones left alone.

    `moment` marks the import: a key that this import has already written with other content is refused. Changed
    content of an answered item is refused, or with `replace` becomes a new revision. A row whose only news is a
    label counts as updated. O(rows) statements' work, in the caller's transaction.
    """
    if session.get_bind().dialect.name == "postgresql":
        # The audit share as it is now: it is not changed before these items, which come in with it, are there.
        session.refresh(project, ["audit_share", "former_shares"], with_for_update={"read": True, "key_share": True})
    outcome = Outcome(refused=vectors.refused(session, project.id, batch))
    bad = {line for line, _, _ in outcome.refused}
    batch = [row for row in batch if row.line not in bad]
    known = known_items(session, project.id, [row.key for row in batch])
    misfits = fitting.misfits(session, project, batch, known)
    outcome.refused += misfits
    batch = [row for row in batch if row.line not in {line for line, _, _ in misfits}]
    fresh: dict[str, PreparedRow] = {}
    later: list[PreparedRow] = []
    for row in batch:
        if row.key in known or row.key in fresh:
            later.append(row)
        elif row.payload is None:
            outcome.refused.append((row.line, row.key, NO_ITEM))
        else:
            fresh[row.key] = row
    fresh = _as_drawn(session, project, fresh, moment)
    later = _insert(session, project, list(fresh.values()), moment, outcome) + later
    if not later and not any(row.labels or row.features for row in fresh.values()):
        return outcome
    missing = [row.key for row in (*fresh.values(), *later) if row.key not in known]
    known |= known_items(session, project.id, missing)
    changed = {row.line for row in fresh.values()} - {row.line for row in later}
    kept = [row for row in fresh.values() if row.line in changed]
    lines = {row.key: row for row in kept}
    for row in later:
        if (reason := _change(session, project, row, known[row.key], lines, replace, moment, changed)) is not None:
            outcome.refused.append((row.line, row.key, reason))
        else:
            kept.append(row)
    vectors.keep(session, project.id, kept, known, changed, {row.key for row in fresh.values() if row.line in changed})
    _labels(session, project, kept, known, changed, moment)
    news = sum(row.line in changed for row in later)
    outcome.updated += news
    outcome.unchanged += len(kept) - (len(fresh) - _moved(fresh, later)) - news
    return outcome


def _as_drawn(
    session: Session, project: Project, rows: dict[str, PreparedRow], moment: datetime
) -> dict[str, PreparedRow]:
    """The rows as audit items only where a draw made them so: what a row itself says of it holds in an empty project.

    Beside other items those of another project's draws, or of somebody's choice, would be no uniform sample.
    """
    if all(row.reserved is None for row in rows.values()):
        return rows
    before = select(Item.id).where(Item.project_id == project.id, Item.created_at < moment)
    if session.execute(before.limit(1)).first() is None:
        return rows
    return {key: dataclasses.replace(row, reserved=None) for key, row in rows.items()}


def refusals(
    session: Session, project: Project, batch: Sequence[PreparedRow], *, replace: bool
) -> list[tuple[int, str, str]]:
    """The rows of a batch of different keys that `store` would refuse, with line, key and reason; stores nothing."""
    known = known_items(session, project.id, [row.key for row in batch])
    found = fitting.misfits(session, project, batch, known)
    for row in batch:
        stored = known.get(row.key)
        if stored is None and row.payload is None:
            found.append((row.line, row.key, NO_ITEM))
        elif stored is None or row.payload is None or replace or row.content_hash == stored.content_hash:
            continue
        elif _has_answers(session, stored.id):
            found.append((row.line, row.key, HAS_ANSWERS))
    return found


def _moved(fresh: dict[str, PreparedRow], later: list[PreparedRow]) -> int:
    """How many fresh rows another import was faster with."""
    return sum(fresh.get(row.key) is row for row in later)


def known_items(session: Session, project_id: int, keys: Sequence[str]) -> dict[str, Row[Any]]:
    """The stored items of these keys, deleted ones left out."""
    if not keys:
        return {}
    rows = session.execute(
        select(
            Item.id,
            Item.key,
            Item.content_hash,
            Item.revision,
            Item.meta,
            Item.split,
            Item.reserved,
            Item.state,
            Item.priority,
            Item.updated_at,
        ).where(Item.project_id == project_id, Item.key.in_(keys), Item.state != "deleted")
    )
    return {row.key: row for row in rows}


def _insert(
    session: WriteSession, project: Project, rows: list[PreparedRow], moment: datetime, outcome: Outcome
) -> list[PreparedRow]:
    """Insert new items; gives back the rows whose keys another import inserted at the same moment."""
    if not rows:
        return []
    values = [_values(project, row) for row in rows]
    search.import_begins(session, project.id)
    connection = session.connection()
    if connection.dialect.name == "sqlite":  # one writer at a time: the look-up before still holds
        bind = Item.__table__.c.created_at.type.bind_processor(connection.dialect)
        written = bind(moment) if bind is not None else moment
        connection.exec_driver_sql(SQLITE_INSERT, [(*value, written, written) for value in values])
        outcome.created += len(rows)
        return []
    columns = [list(column) for column in zip(*values, strict=True)]
    stored = set(connection.exec_driver_sql(POSTGRESQL_INSERT, (moment, moment, *columns)).scalars())
    outcome.created += len(stored)
    return [row for row in rows if row.key not in stored]


def _values(project: Project, row: PreparedRow) -> tuple[Any, ...]:
    """A new item in the order of COLUMNS."""
    split = row.split or "pool"
    return (
        project.id,
        row.key,
        row.content,
        row.content_hash,
        row.fingerprint,
        write_json(row.metadata) if row.metadata else "{}",
        split,
        split == "pool" and _is_reserved(project, row, project.audit_share),
        draw(project.seed, row.key),
        row.state or ("fetching" if row.to_fetch else "open"),
        row.priority or 0,
    )


def _is_reserved(project: Project, row: PreparedRow, share: float) -> bool:
    if row.reserved is not None:
        return row.reserved
    return audit_reserved(project.seed, row.key, share)


def _change(
    session: WriteSession,
    project: Project,
    row: PreparedRow,
    found: Row[Any],
    lines: dict[str, PreparedRow],
    replace: bool,
    moment: datetime,
    changed: set[int],
) -> str | None:
    """Bring an existing item to what the row says; the reason where it is refused."""
    first = lines.setdefault(row.key, row)
    if first is not row:
        same = row.payload is None or first.payload is None or row.content_hash == first.content_hash
        return None if same else f"the key stands on line {first.line} too, with other content"
    values: dict[str, Any] = {}
    if row.payload is not None and row.content_hash != found.content_hash:
        if found.updated_at == moment:
            return "the key stands twice in this import, with other content"
        if not replace and _has_answers(session, found.id):
            return HAS_ANSWERS
        values = _new_content(row, found)
        vectors.put_in_line(session, project.id, [found.id])
        leases.content_changed(session, [found.id])
    elif row.to_fetch and found.state == "failed":
        values = {"state": "fetching", "reason": None}  # pushed once more, it is tried once more
    values |= _settings(project, row, found)
    if values:
        with search.kept_up(session, project.id, [found.id] if values.keys() & {"payload", "meta"} else []):
            session.execute(update(Item).where(Item.id == found.id).values(updated_at=moment, **values))
        changed.add(row.line)
    return None


def _settings(project: Project, row: PreparedRow, found: Row[Any]) -> dict[str, Any]:
    """What the row says about metadata, split, state and priority, where it differs from what is stored."""
    pairs = (
        ("meta", row.metadata, found.meta),
        ("split", row.split, found.split),
        ("state", row.state, found.state),
        ("priority", row.priority, found.priority),
    )
    values: dict[str, Any] = {name: given for name, given, stored in pairs if given is not None and given != stored}
    if "split" in values:  # the client's own test set is a stratum of its own
        share = reaching.share_at(project, found.id)  # that of its neighbours, whenever it joins them
        values["reserved"] = values["split"] == "pool" and _is_reserved(project, row, share)
    return values


def _new_content(row: PreparedRow, found: Row[Any]) -> dict[str, Any]:
    """Changed content is a new revision, open again: answers to the old one stay with it."""
    waited = found.state in ("fetching", "failed")
    return {
        "payload": row.payload,
        "content_hash": row.content_hash,
        "fingerprint": row.fingerprint,
        "revision": found.revision + 1,
        "done": False,
        **({"state": "fetching", "reason": None} if row.to_fetch and (waited or found.state == "open") else {}),
        **({"state": "open", "reason": None} if waited and not row.to_fetch else {}),
    }


def _labels(
    session: WriteSession,
    project: Project,
    rows: Iterable[PreparedRow],
    known: dict[str, Row[Any]],
    changed: set[int],
    moment: datetime,
) -> None:
    """Store the labels that are not there yet, and close the items whose slots they fill."""
    wanted = [row for row in rows if row.labels]
    if not wanted:
        return
    session.flush()
    ids = list({known[row.key].id for row in wanted})
    revisions = dict(session.execute(select(Item.id, Item.revision).where(Item.id.in_(ids))).all())
    before = _imported(session, ids)
    asked = tasks.questions(session, project)
    versions: list[dict[str, Any]] = []
    for row in wanted:
        item_id = known[row.key].id
        for label in row.labels:
            version = _version(project, asked, item_id, revisions[item_id], label, before[item_id], moment)
            if version is not None:
                versions.append(version)
                changed.add(row.line)
    if versions:
        closing.hold(session, ids)
        session.execute(insert(Annotation), versions)
        closing.refresh(session, project, ids)


def _imported(session: Session, item_ids: list[int]) -> dict[int, dict[str | None, _Stored]]:
    """The newest imported answer of each source, by item."""
    found: dict[int, dict[str | None, _Stored]] = defaultdict(dict)
    rows = session.execute(
        select(
            Annotation.item_id,
            Annotation.annotator_name,
            Annotation.answer_id,
            Annotation.version,
            Annotation.item_revision,
            Annotation.label,
        )
        .where(Annotation.item_id.in_(item_ids), Annotation.origin == "import")
        .order_by(Annotation.id)
    )
    for row in rows:
        stored = _Stored(row.answer_id, row.version, row.item_revision, row.label)
        found[row.item_id][row.annotator_name] = stored
    return found


def _version(
    project: Project,
    asked: Sequence[Question],
    item_id: int,
    revision: int,
    label: ImportedLabel,
    before: dict[str | None, _Stored],
    moment: datetime,
) -> dict[str, Any] | None:
    """One imported label as a row; None where the same label of the same source is stored already."""
    last = before.get(label.annotator)
    same = last is not None and tasks.in_force(last.label, asked) == tasks.in_force(label.stored, asked)
    if last is not None and same and last.revision == revision:
        return None
    stored = _Stored(
        last.answer_id if last else uuid4(), last.version + 1 if last else 1, revision, label.stored
    )  # another label of the same source is its answer's next version
    before[label.annotator] = stored
    return {
        "project_id": project.id,
        "answer_id": stored.answer_id,
        "version": stored.version,
        "item_id": item_id,
        "item_revision": revision,
        "task_version": project.task_version,
        "guidelines_version": project.guidelines_version,
        "annotator_name": label.annotator,
        "origin": "import",
        "kind": "import",
        "label": label.stored,
        "counted": True,
        "created_at": label.created_at or moment,
    }


def _has_answers(session: Session, item_id: int) -> bool:
    return session.execute(select(Annotation.id).where(Annotation.item_id == item_id).limit(1)).first() is not None
