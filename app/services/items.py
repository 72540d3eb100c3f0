"""Items: stored by key, looked at, changed, deleted."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.errors import Invalid, NotFound, VersionMismatch
from app.core.text import INT64_MAX
from app.db import Annotation, ClientFeature, Item, PendingFeature, Project, WriteSession
from app.db.session import now
from app.loop.serving import audit_reserved, draw
from app.services.access import Person, project_for
from app.services.rows import PreparedRow


@dataclass
class Outcome:
    """What became of a batch of rows; `refused` names line, key and reason."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def store(
    session: WriteSession, project: Project, batch: Sequence[PreparedRow], *, replace: bool, moment: datetime
) -> Outcome:
    """Store rows by key: new ones are inserted, changed ones updated, equal ones left alone.

    `moment` marks the import: a key that this import has already written with other content is refused. Changed
    content of an answered item is refused, or with `replace` becomes a new revision. O(rows) statements' work,
    in the caller's transaction.
    """
    outcome = Outcome()
    known = _known(session, project.id, [row.key for row in batch])
    fresh: dict[str, PreparedRow] = {}
    later: list[PreparedRow] = []
    for row in batch:
        if row.key in known:
            later.append(row)
        elif row.key not in fresh:
            if row.payload is None:
                outcome.refused.append((row.line, row.key, "there is no item with this key to label"))
            else:
                fresh[row.key] = row
        elif row.content_hash == fresh[row.key].content_hash:
            outcome.unchanged += 1
        else:
            outcome.refused.append((row.line, row.key, f"the key stands on line {fresh[row.key].line} too"))
    later += _insert(session, project, list(fresh.values()), moment, outcome)
    if later:
        known |= _known(session, project.id, [row.key for row in later if row.key not in known])
        for row in later:
            _change(session, project, row, known[row.key], replace, moment, outcome)
    _labels_and_features(session, project, [*fresh.values(), *later], outcome, moment)
    return outcome


def _known(session: Session, project_id: int, keys: list[str]) -> dict[str, Row[Any]]:
    if not keys:
        return {}
    rows = session.execute(
        select(
            Item.id, Item.key, Item.content_hash, Item.revision, Item.meta, Item.split, Item.priority, Item.updated_at
        ).where(Item.project_id == project_id, Item.key.in_(keys), Item.state != "deleted")
    )
    return {row.key: row for row in rows}


def _insert(
    session: WriteSession, project: Project, rows: list[PreparedRow], moment: datetime, outcome: Outcome
) -> list[PreparedRow]:
    """Insert new items; gives back the rows whose keys another import inserted at the same moment."""
    if not rows:
        return []
    values = [
        {
            "project_id": project.id,
            "key": row.key,
            "payload": row.payload,
            "content_hash": row.content_hash,
            "fingerprint": row.fingerprint,
            "meta": row.metadata or {},
            "revision": 1,
            "split": row.split or "pool",
            "reserved": row.split != "audit" and audit_reserved(project.seed, row.key, project.audit_share),
            "draw": draw(project.seed, row.key),
            "state": "open",
            "priority": row.priority or 0,
            "done": False,
            "skips": 0,
            "origin": "real",
            "created_at": moment,
            "updated_at": moment,
        }
        for row in rows
    ]
    if session.get_bind().dialect.name == "sqlite":  # one writer at a time: the look-up before still holds
        session.execute(insert(Item), values)
        outcome.created += len(rows)
        return []
    statement = postgresql.insert(Item).on_conflict_do_nothing().returning(Item.key)
    stored = set(session.execute(statement, values).scalars())
    outcome.created += len(stored)
    return [row for row in rows if row.key not in stored]


def _change(
    session: WriteSession,
    project: Project,
    row: PreparedRow,
    found: Row[Any],
    replace: bool,
    moment: datetime,
    outcome: Outcome,
) -> None:
    """Bring an existing item to what the row says."""
    values: dict[str, Any] = {}
    if row.payload is not None and row.content_hash != found.content_hash:
        answered = _has_answers(session, found.id)
        reason = None
        if found.updated_at == moment:
            reason = "the key stands twice in this import, with other content"
        elif answered and not replace:
            reason = "the content changed and the item has answers: send it with on_change=replace"
        if reason is not None:
            outcome.refused.append((row.line, row.key, reason))
            return
        values = _new_content(row, found.revision)
        _pending(session, project.id, found.id)
    values |= _settings(row, found)
    if values:
        session.execute(update(Item).where(Item.id == found.id).values(updated_at=moment, **values))
        outcome.updated += 1
    else:
        outcome.unchanged += 1


def _settings(row: PreparedRow, found: Row[Any]) -> dict[str, Any]:
    """What the row says about metadata, split and priority, where it differs from what is stored."""
    pairs = (
        ("meta", row.metadata, found.meta),
        ("split", row.split, found.split),
        ("priority", row.priority, found.priority),
    )
    values: dict[str, Any] = {name: given for name, given, stored in pairs if given is not None and given != stored}
    if values.get("split") == "audit":
        values["reserved"] = False  # the client's own test set is a stratum of its own
    return values


def _new_content(row: PreparedRow, revision: int) -> dict[str, Any]:
    """Changed content is a new revision, open again: answers to the old one stay with it."""
    return {
        "payload": row.payload,
        "content_hash": row.content_hash,
        "fingerprint": row.fingerprint,
        "revision": revision + 1,
        "done": False,
    }


def _labels_and_features(
    session: WriteSession, project: Project, rows: list[PreparedRow], outcome: Outcome, moment: datetime
) -> None:
    refused = {line for line, _, _ in outcome.refused}
    wanted = [row for row in rows if (row.labels or row.features) and row.line not in refused]
    if not wanted:
        return
    known = _known(session, project.id, [row.key for row in wanted])
    ids = {row.key: known[row.key].id for row in wanted if row.key in known}
    before = _imported(session, list(ids.values()))
    for row in wanted:
        item_id = ids[row.key]
        if row.features is not None:
            _own_vector(session, project.id, item_id, row.features)
        for label in row.labels:
            _store_label(session, project, known[row.key], label, before[item_id], moment)
        if row.labels and len(before[item_id]) >= project.overlap:
            session.execute(update(Item).where(Item.id == item_id).values(done=True))


def _imported(session: Session, item_ids: list[int]) -> dict[int, dict[str | None, Annotation]]:
    """The newest imported answer of each source, by item."""
    found: dict[int, dict[str | None, Annotation]] = defaultdict(dict)
    rows = session.execute(
        select(Annotation)
        .where(Annotation.item_id.in_(item_ids), Annotation.origin == "import")
        .order_by(Annotation.id)
    ).scalars()
    for row in rows:
        found[row.item_id][row.annotator_name] = row
    return found


def _store_label(
    session: WriteSession,
    project: Project,
    item: Row[Any],
    label: Any,
    before: dict[str | None, Annotation],
    moment: datetime,
) -> None:
    """Store one imported label; the same label of the same source is stored once, another is its next version."""
    last = before.get(label.annotator)
    if last is not None and last.label == label.stored and last.item_revision == item.revision:
        return
    row = Annotation(
        project_id=project.id,
        answer_id=last.answer_id if last else uuid4(),
        version=last.version + 1 if last else 1,
        item_id=item.id,
        item_revision=item.revision,
        task_version=project.task_version,
        guidelines_version=project.guidelines_version,
        annotator_name=label.annotator,
        origin="import",
        kind="import",
        label=label.stored,
        counted=True,
        created_at=moment,
    )
    session.add(row)
    before[label.annotator] = row


def _own_vector(session: WriteSession, project_id: int, item_id: int, vector: bytes) -> None:
    stored = session.get(ClientFeature, item_id)
    if stored is None:
        session.add(ClientFeature(item_id=item_id, vector=vector))
    elif stored.vector != vector:
        stored.vector = vector
        _pending(session, project_id, item_id)


def _pending(session: WriteSession, project_id: int, item_id: int) -> None:
    insert_for = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"item_id": item_id, "project_id": project_id}
    session.execute(insert_for(PendingFeature).values(**values).on_conflict_do_nothing())


def _has_answers(session: Session, item_id: int) -> bool:
    return session.execute(select(Annotation.id).where(Annotation.item_id == item_id).limit(1)).first() is not None


def one(session: Session, person: Person, item_id: int) -> tuple[Item, Project]:
    """An item that the person may look at: managers and reviewers; raises NotFound, Forbidden."""
    item = session.get(Item, item_id) if item_id <= INT64_MAX else None
    if item is None or item.state == "deleted":
        raise NotFound("there is no such item, or it is not yours")
    return item, project_for(session, person, item.project_id, "reviewer")


def listed(
    session: Session, person: Person, ref: int | str, limit: int, after: int, keys: list[str], filters: dict[str, str]
) -> Sequence[Item]:
    """Items in the order of their ids, for reviewers and managers; by keys where some are given."""
    project = project_for(session, person, ref, "reviewer")
    statement = select(Item).where(Item.project_id == project.id, Item.state != "deleted", Item.id > after)
    if keys:
        statement = statement.where(Item.key.in_(keys))
    if "state" in filters:
        statement = statement.where(Item.state == filters["state"])
    if "split" in filters:
        statement = statement.where(Item.split == filters["split"])
    if "status" in filters:
        if filters["status"] not in ("open", "answered"):
            raise Invalid("status is open or answered", fields={"status": filters["status"][:50]})
        statement = statement.where(Item.done == (filters["status"] == "answered"))
    return session.execute(statement.order_by(Item.id).limit(limit)).scalars().all()


def change(session: WriteSession, person: Person, item_id: int, changes: dict[str, Any], version: str) -> Item:
    """Change metadata, split, state or priority. Raises VersionMismatch when it was changed in the meantime."""
    person.need("manage")
    item, project = one(session, person, item_id)
    project_for(session, person, project.id, "manager")
    if etag(item) != version:
        raise VersionMismatch("the item was changed in the meantime: read it again")
    for name, value in changes.items():
        setattr(item, "meta" if name == "metadata" else name, value)
    if item.split == "audit":
        item.reserved = False
    item.updated_at = now(session)
    session.flush()
    return item


def remove(session: WriteSession, person: Person, item_id: int, *, erase: bool) -> None:
    """Delete an item: a state, and its key is free again. Erasure also takes its content and metadata away."""
    person.need("manage")
    item, project = one(session, person, item_id)
    project_for(session, person, project.id, "manager")
    item.state, item.updated_at = "deleted", now(session)
    if erase:
        item.payload, item.meta, item.key = {}, {}, f"erased-{item.id}"
        item.content_hash = item.fingerprint = ""
        session.execute(delete(ClientFeature).where(ClientFeature.item_id == item.id))


def etag(item: Item) -> str:
    """The version of an item as its ETag."""
    return f"{item.revision}-{int(item.updated_at.timestamp() * 1e6)}"
