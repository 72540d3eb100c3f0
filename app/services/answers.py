"""Rows of answers: what an answer to a lease is judged by, its storing, and how a stored one is shown.

The statements that every answer passes through are made once, as text or over tables: building them anew cost
three times what the database does with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import Row, Select, Table, TextClause, TextualSelect, bindparam, insert, select, text
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.text import INT64_MAX
from app.db import Annotation, Item, Lease, Project, Round, User, WriteSession, is_newest, reads
from app.services import closing, leases, tasks
from app.services.access import Person


@dataclass(frozen=True)
class StoredAnnotation:
    """One version of an answer as the API shows it; `label` is in the API's form with class names."""

    id: int
    item: int
    key: str
    label: dict[str, Any]
    annotator: str | None
    seconds_spent: float
    origin: str
    version: int
    counted: bool
    late: bool
    round: int | None
    kind: str | None
    created_at: datetime
    project_id: int
    lease: int | None = None
    guidelines_version: int = 1


@dataclass(frozen=True)
class Version:
    """One version of an answer: what it was then, by whom, when; `answer` is the same for all versions of one."""

    id: int
    answer: str
    version: int
    label: dict[str, Any]
    annotator: str | None
    origin: str
    retracted: bool
    decisive: bool
    created_at: datetime


# A lease with its item, its project, its round, the person's role, and an earlier answer with the same request id.
HELD_SQL = """
    SELECT {moment} AS moment,
           leases.id, leases.project_id, leases.item_id, leases.unit, leases.state, leases.kind, leases.blind,
           leases.round_id, leases.task_version, leases.guidelines_version, leases.suggestion, leases.served_at,
           leases.expires_at, leases.item_revision,
           items.key, items.state AS item_state, items.revision, projects.state AS project_state,
           projects.deleted_at IS NOT NULL AS project_gone,
           projects.overlap, projects.round_size, projects.version AS project_version,
           projects.updated_at AS project_updated_at, rounds.number AS round_number, members.role,
           (SELECT annotations.id FROM annotations WHERE annotations.project_id = leases.project_id
            AND annotations.request_id = :request AND annotations.annotator_id = :annotator) AS earlier
    FROM leases
    JOIN items ON items.id = leases.item_id
    JOIN projects ON projects.id = leases.project_id
    LEFT JOIN rounds ON rounds.id = leases.round_id
    LEFT JOIN members ON members.project_id = leases.project_id AND members.user_id = :annotator
    WHERE leases.id = :lease AND leases.annotator_id = :annotator {lock}
"""


def _held(moment: str, lock: str) -> TextualSelect:
    request = bindparam("request", type_=Annotation.request_id.type)
    statement = text(HELD_SQL.format(moment=moment, lock=lock)).bindparams(request)
    return reads(
        statement,
        "moment id project_id item_id unit state kind blind round_id task_version guidelines_version suggestion"
        " served_at expires_at item_revision key item_state revision project_state project_gone overlap round_size"
        " project_version project_updated_at round_number role earlier",
        moment=Lease.served_at.type,
        blind=Lease.blind.type,
        suggestion=Lease.suggestion.type,
        served_at=Lease.served_at.type,
        expires_at=Lease.expires_at.type,
        project_updated_at=Project.updated_at.type,
    )


HELD = _held("NULL", "")
HELD_NOW = _held("clock_timestamp()", "FOR UPDATE OF leases")  # PostgreSQL's: brings its time along, keeps the state
ANNOTATIONS = cast("Table", Annotation.__table__)
INSERT = insert(ANNOTATIONS).returning(ANNOTATIONS.c.id)
ITEM_DONE = text("UPDATE items SET done = :done WHERE id = :item").bindparams(bindparam("done", type_=Item.done.type))
PLACE_DONE = text("UPDATE queue SET done = :done WHERE item_id = :item").bindparams(
    bindparam("done", type_=Item.done.type)
)
BOTH_DONE = text(f"WITH places AS ({PLACE_DONE.text}) {ITEM_DONE.text}").bindparams(
    bindparam("done", type_=Item.done.type)
)  # PostgreSQL's, in one turn


def _whole_answer() -> TextClause:
    """PostgreSQL's INSERT that settles the lease and closes the item as well: one turn instead of three."""
    columns = [column for column in ANNOTATIONS.c if column.name not in ("id", "annotator_name")]
    statement = text(f"""
        WITH settled AS (UPDATE leases SET state = 'answered' WHERE id = :lease_id),
             closed AS (UPDATE items SET done = :counted WHERE id = :item_id),
             passed AS (UPDATE queue SET done = :counted WHERE item_id = :item_id)
        INSERT INTO annotations ({", ".join(column.name for column in columns)})
        VALUES ({", ".join(f":{column.name}" for column in columns)}) RETURNING id
    """)  # noqa: S608  # the columns' names, nothing else
    return statement.bindparams(*(bindparam(column.name, type_=column.type) for column in columns))


WHOLE = _whole_answer()


def held(session: WriteSession, lease_id: int, person: Person, request_id: UUID | None) -> Row[Any]:
    """The caller's own lease with all that its answer is judged by; raises NotFound, also for who has left."""
    row: Any = None
    if lease_id <= INT64_MAX:
        values = {"lease": lease_id, "annotator": person.id, "request": request_id}
        statement = HELD if "now" in session.info else HELD_NOW
        row = session.core.execute(statement, values).first()
    away = row is None or row.project_gone or (row.role is None and not person.admin)
    if away or (person.token_project is not None and person.token_project != row.project_id):
        raise NotFound("there is no such lease, or it is not yours")
    found: Row[Any] = row
    return found


def store(
    session: WriteSession,
    lease: Row[Any],
    person: Person,
    label: dict[str, Any],
    request_id: UUID | None,
    seconds_spent: float,
    moment: datetime,
) -> StoredAnnotation:
    """Settle a lease, store the first version of its answer, close the item once its overlap is answered.

    `label` is in the stored form. The answer counts where the lease's slot is its own still or free again.
    """
    at_once = lease.moment is not None and lease.state == "live" and lease.overlap == 1
    revision = lease.item_revision or lease.revision
    current = lease.state == "live" or revision == _revision(session, lease.item_id)  # a change of content ends leases
    counted = at_once or (current and leases.settle(session, lease.id, lease.state))
    late = lease.state != "live" or lease.expires_at < moment
    values = {
        "project_id": lease.project_id,
        "answer_id": uuid4(),
        "version": 1,
        "item_id": lease.item_id,
        "item_revision": revision,
        "unit": lease.unit,
        "task_version": lease.task_version,
        "guidelines_version": lease.guidelines_version,
        "annotator_id": person.id,
        "lease_id": lease.id,
        "request_id": request_id,
        "origin": "human",
        "kind": lease.kind,
        "label": label,
        "counted": counted,
        "late": late,
        "retracted": False,
        "decisive": False,
        "blind": lease.blind,
        "round_id": lease.round_id,
        "probability": (lease.suggestion or {}).get("probability"),
        "seconds_spent": seconds_spent,
        "seconds_elapsed": max(0.0, (moment - lease.served_at).total_seconds()),
        "created_at": moment,
    }
    stored_id = session.core.execute(WHOLE if at_once else INSERT, values).scalar_one()
    if counted and not at_once and closing.is_full(session, lease.item_id, lease.unit, lease.overlap):
        set_done(session, lease.item_id)
    asked = tasks.questions_at(session, lease.project_id, lease.project_version, lease.project_updated_at)
    return StoredAnnotation(
        id=stored_id,
        item=lease.item_id,
        key=lease.key,
        label=tasks.show_label(label, asked),
        annotator=person.name,
        seconds_spent=seconds_spent,
        origin="human",
        version=1,
        counted=counted,
        late=late,
        round=lease.round_number,
        kind=lease.kind if person.admin or lease.role == "manager" else None,
        created_at=moment,
        project_id=lease.project_id,
        lease=lease.id,
        guidelines_version=lease.guidelines_version,
    )


def _revision(session: WriteSession, item_id: int) -> int:
    """Of an item's content by now: it may have changed while the lease was waited for."""
    return session.execute(select(Item.revision).where(Item.id == item_id)).scalar_one()


def append_version(session: WriteSession, current: Annotation, person: Person, moment: datetime, **changes: Any) -> int:
    """Store the next version of an answer with the given changes; its id."""
    copied = {
        column.key: getattr(current, column.key)
        for column in Annotation.__mapper__.column_attrs
        if column.key not in ("id", "request_id")
    }
    values = copied | {"version": current.version + 1, "annotator_id": person.id, "created_at": moment} | changes
    return session.execute(insert(Annotation).values(**values).returning(Annotation.id)).scalar_one()


def set_done(session: WriteSession, item_id: int) -> None:
    """Take an item out of every order: its overlap is answered."""
    connection = session.core
    for statement in (BOTH_DONE,) if connection.dialect.name == "postgresql" else (ITEM_DONE, PLACE_DONE):
        connection.execute(statement, {"item": item_id, "done": True})


def shown(session: Session, annotation_id: int) -> StoredAnnotation:
    """One version of an answer, as the API shows it to a manager."""
    return of_row(session, session.execute(select_shown().where(Annotation.id == annotation_id)).one())


def of_lease(session: Session, lease_id: int) -> Row[Any] | None:
    """The answer to a lease that stands, as a row of `select_shown`."""
    return session.execute(
        current(select_shown()).where(Annotation.lease_id == lease_id, ~Annotation.retracted)
    ).first()


def recent(session: Session, person: Person, project_id: int, limit: int = 10) -> Sequence[StoredAnnotation]:
    """The person's newest current answers in a project, newest first."""
    rows = session.execute(
        current(select_shown())
        .where(Annotation.project_id == project_id, Annotation.annotator_id == person.id, ~Annotation.retracted)
        .order_by(Annotation.id.desc())
        .limit(limit)
    ).all()
    return [of_row(session, row) for row in rows]


def of_items(session: Session, item_ids: Sequence[int], *, kinds: bool) -> dict[int, list[StoredAnnotation]]:
    """The current answers to each of some items, oldest first; retracted ones and those to earlier content left out.

    How each was chosen is told with `kinds` only: that is for managers.
    """
    found: dict[int, list[StoredAnnotation]] = {item: [] for item in item_ids}
    rows = session.execute(
        current(select_shown())
        .where(Annotation.item_id.in_(item_ids), ~Annotation.retracted, Annotation.item_revision == Item.revision)
        .order_by(Annotation.id)
    )
    for row in rows:
        stored = of_row(session, row)
        found[stored.item].append(stored if kinds else replace(stored, kind=None))
    return found


def versions_of(session: Session, item_id: int) -> list[Version]:
    """Every version of every answer to an item, newest first, retractions and those to earlier content among them."""
    rows = session.execute(select_shown().where(Annotation.item_id == item_id).order_by(Annotation.id.desc())).all()
    return [
        Version(
            id=shown.id,
            answer=str(row.Annotation.answer_id),
            version=shown.version,
            label=shown.label,
            annotator=shown.annotator,
            origin=shown.origin,
            retracted=row.Annotation.retracted,
            decisive=row.Annotation.decisive,
            created_at=shown.created_at,
        )
        for row in rows
        for shown in (of_row(session, row),)
    ]


def current(statement: Select[Any]) -> Select[Any]:
    """Only the highest version of each answer."""
    return statement.where(is_newest())


def select_shown() -> Select[Any]:
    """Versions of answers with all that `of_row` shows of them."""
    statement = (
        select(Annotation, Item.key, User.name.label("user_name"), Round.number.label("round_number"))
        .join(Item, Item.id == Annotation.item_id)
        .outerjoin(User, User.id == Annotation.annotator_id)
        .outerjoin(Round, Round.id == Annotation.round_id)
    )
    return cast("Select[Any]", statement)


def of_row(session: Session, row: Row[Any]) -> StoredAnnotation:
    """A row of `select_shown` as the API shows it to a manager."""
    stored: Annotation = row.Annotation
    project = session.get_one(Project, stored.project_id)
    return StoredAnnotation(
        id=stored.id,
        item=stored.item_id,
        key=row.key,
        label=tasks.show_label(stored.label, tasks.questions(session, project)),
        annotator=row.user_name or stored.annotator_name,
        seconds_spent=stored.seconds_spent,
        origin=stored.origin,
        version=stored.version,
        counted=stored.counted,
        late=stored.late,
        round=row.round_number,
        kind=stored.kind,
        created_at=stored.created_at,
        project_id=stored.project_id,
        lease=stored.lease_id,
        guidelines_version=stored.guidelines_version,
    )
