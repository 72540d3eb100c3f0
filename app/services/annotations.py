"""Answers: submitted for a lease, taken back, corrected. Append-only, idempotent, never lost."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import Row, Select, func, insert, select, text, update
from sqlalchemy.orm import Session, aliased

from app.core.errors import Conflict, Forbidden, Gone, Invalid, NotFound, VersionMismatch
from app.core.text import INT64_MAX, check_text
from app.db import Annotation, Flag, Item, Lease, Member, Project, QueueEntry, Round, User, WriteSession
from app.db.session import now
from app.services import leases, rounds, tasks
from app.services.access import Person, project_for

MAX_SECONDS = 86_400


class AlreadyAnswered(Conflict):
    """This lease was answered before with another label."""


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


def submit(
    session: WriteSession, person: Person, lease_id: int, label: Any, request_id: UUID | None, seconds_spent: float
) -> StoredAnnotation:
    """Store the answer for a leased item; sent twice, it answers with the first one.

    A late answer counts while its slot is still free and is kept uncounted otherwise. The answer and the
    request for a round are one transaction: both are kept or neither.

    Raises:
        NotFound: no such lease, or it is another annotator's.
        Gone: the item was deleted.
        InvalidLabel: the label does not fit the task.
        AlreadyAnswered: the lease holds another answer.
    """
    if not 0 <= seconds_spent <= MAX_SECONDS:
        raise Invalid(f"seconds_spent is 0 to {MAX_SECONDS:,}", fields={"seconds_spent": seconds_spent})
    held = _held(session, lease_id, person)
    if request_id is not None and (stored := _by_request(session, held.project_id, request_id, person)):
        return stored
    if held.item_state == "deleted":
        raise Gone("the item was deleted; your label is in this answer", label=label)
    project = session.get_one(Project, held.project_id)
    if project.state in ("closed", "archived"):
        raise Conflict(f"the project is {project.state}; your label is in this answer", label=label)
    questions = tasks.questions(session, project)
    checked = tasks.check_label(label, questions)
    if held.state == "answered":
        return _answered_before(session, held, checked, person)
    moment = now(session)
    counted = leases.settle(session, lease_id, held.state)
    annotation_id = _append(session, held, person, checked, request_id, seconds_spent, counted, moment)
    if counted:
        _close_item_if_full(session, held.item_id, held.unit, project.overlap)
    rounds.request_if_due(session, project, moment)
    return shown(session, annotation_id)


def take_back(session: WriteSession, person: Person, lease_id: int, seconds: int) -> Lease | None:
    """Take back one's own answer or skip and hold the item again under a fresh lease.

    Works also when the reply to the answer was lost, and answers a repeated request with the same lease. None
    when a colleague holds the item by now: the answer is taken back all the same.
    """
    lease = leases.mine(session, lease_id, person)
    moment = now(session)
    until = leases.end(moment, seconds, lease.hold_hours)
    if lease.state == "live":
        return lease
    current = session.execute(
        _current(select(Annotation)).where(Annotation.lease_id == lease_id, ~Annotation.retracted)
    ).scalar_one_or_none()
    if current is None and lease.state != "skipped":
        return _live_on_item(session, lease, person)
    if lease.state == "skipped":
        session.execute(update(Item).where(Item.id == lease.item_id, Item.skips > 0).values(skips=Item.skips - 1))
    if current is not None:
        _append_version(session, current, person, moment, retracted=True)
        session.execute(update(Item).where(Item.id == lease.item_id).values(done=False))
        session.execute(update(QueueEntry).where(QueueEntry.item_id == lease.item_id).values(done=False))
    return leases.again(session, lease, moment, until)


def correct(
    session: WriteSession, person: Person, annotation_id: int, label: Any, expected_version: int
) -> StoredAnnotation:
    """Write a new version of an answer: one's own, or anybody's as a reviewer or manager.

    A manager's correction is decisive: it wins over the other answers of the item.

    Raises:
        NotFound: no such annotation, or its project is not the person's.
        Forbidden: another person's answer, and the role is annotator.
        VersionMismatch: it was changed in the meantime.
    """
    asked = session.get(Annotation, annotation_id) if annotation_id <= INT64_MAX else None
    if asked is None:
        raise NotFound("there is no such annotation, or it is not yours")
    project = project_for(session, person, asked.project_id)
    current = session.execute(_current(select(Annotation)).where(Annotation.answer_id == asked.answer_id)).scalar_one()
    others = current.annotator_id != person.id
    if others and not may_review(session, person, project.id):
        raise Forbidden("only a reviewer or manager changes another person's answer")
    if current.version != expected_version or current.retracted:
        raise VersionMismatch(f"the newest version is {current.version}")
    checked = tasks.check_label(label, tasks.questions(session, project))
    moment = now(session)
    decisive = may_review(session, person, project.id, least="manager")
    new_id = _append_version(session, current, person, moment, label=checked, decisive=decisive)
    rounds.request_if_due(session, project, moment)
    return shown(session, new_id)


def flag(session: WriteSession, person: Person, item_id: int, note: str) -> Flag:
    """Store a note on an item of a project that the person works in. Raises NotFound."""
    item = session.get(Item, item_id) if item_id <= INT64_MAX else None
    if item is None or item.state == "deleted":
        raise NotFound("there is no such item, or it is not yours")
    project = project_for(session, person, item.project_id)
    moment = now(session)
    checked = check_text(note, what="note", limit=2000)
    row = Flag(
        project_id=project.id, item_id=item.id, user_id=person.id, note=checked, created_at=moment, updated_at=moment
    )
    session.add(row)
    session.flush()
    return row


def may_review(session: Session, person: Person, project_id: int, least: str = "reviewer") -> bool:
    """Whether the person is a reviewer or manager of the project (or a manager, when asked for)."""
    if person.admin:
        return True
    roles = ("manager",) if least == "manager" else ("reviewer", "manager")
    found = session.execute(
        select(Member.role).where(Member.project_id == project_id, Member.user_id == person.id, Member.role.in_(roles))
    )
    return found.first() is not None


def recent(session: Session, person: Person, project_id: int, limit: int = 10) -> list[StoredAnnotation]:
    """The person's newest current answers in a project, newest first."""
    rows = session.execute(
        _current(_select_shown())
        .where(Annotation.project_id == project_id, Annotation.annotator_id == person.id, ~Annotation.retracted)
        .order_by(Annotation.id.desc())
        .limit(limit)
    ).all()
    return [_of_row(session, row) for row in rows]


def shown(session: Session, annotation_id: int) -> StoredAnnotation:
    """One version of an answer, as the API shows it."""
    return _of_row(session, session.execute(_select_shown().where(Annotation.id == annotation_id)).one())


def _held(session: WriteSession, lease_id: int, person: Person) -> Row[Any]:
    """Lease and item in one select; the caller's own only."""
    row: Any = None
    if lease_id <= INT64_MAX:
        row = session.execute(
            select(
                Lease.id,
                Lease.project_id,
                Lease.item_id,
                Lease.unit,
                Lease.state,
                Lease.kind,
                Lease.blind,
                Lease.round_id,
                Lease.task_version,
                Lease.guidelines_version,
                Lease.suggestion,
                Lease.served_at,
                Lease.expires_at,
                Item.state.label("item_state"),
                Item.revision,
            )
            .join(Item, Item.id == Lease.item_id)
            .where(Lease.id == lease_id, Lease.annotator_id == person.id)
        ).first()
    if row is None or (person.token_project is not None and person.token_project != row.project_id):
        raise NotFound("there is no such lease, or it is another annotator's")
    held: Row[Any] = row
    return held


def _by_request(session: Session, project_id: int, request_id: UUID, person: Person) -> StoredAnnotation | None:
    row = session.execute(
        _select_shown().where(
            Annotation.project_id == project_id,
            Annotation.request_id == request_id,
            Annotation.annotator_id == person.id,
        )
    ).first()
    return None if row is None else _of_row(session, row)


def _answered_before(session: WriteSession, held: Row[Any], label: dict[str, Any], person: Person) -> StoredAnnotation:
    row = session.execute(
        _current(_select_shown()).where(Annotation.lease_id == held.id, Annotation.annotator_id == person.id)
    ).first()
    if row is None:
        raise Conflict("the lease was answered and then corrected by a colleague")
    stored = _of_row(session, row)
    if row.Annotation.label != label:
        raise AlreadyAnswered("this lease was answered before with another label", label=stored.label)
    return stored


def _append(
    session: WriteSession,
    held: Row[Any],
    person: Person,
    label: dict[str, Any],
    request_id: UUID | None,
    seconds_spent: float,
    counted: bool,
    moment: datetime,
) -> int:
    suggestion = held.suggestion or {}
    return session.execute(
        insert(Annotation)
        .values(
            project_id=held.project_id,
            answer_id=uuid4(),
            version=1,
            item_id=held.item_id,
            item_revision=held.revision,
            unit=held.unit,
            task_version=held.task_version,
            guidelines_version=held.guidelines_version,
            annotator_id=person.id,
            lease_id=held.id,
            request_id=request_id,
            origin="human",
            kind=held.kind,
            label=label,
            counted=counted,
            late=held.state != "live" or held.expires_at < moment,
            retracted=False,
            decisive=False,
            blind=held.blind,
            round_id=held.round_id,
            probability=suggestion.get("probability"),
            seconds_spent=seconds_spent,
            seconds_elapsed=max(0.0, (moment - held.served_at).total_seconds()),
            created_at=moment,
        )
        .returning(Annotation.id)
    ).scalar_one()


def _append_version(
    session: WriteSession, current: Annotation, person: Person, moment: datetime, **changes: Any
) -> int:
    copied = {
        column.key: getattr(current, column.key)
        for column in Annotation.__mapper__.column_attrs
        if column.key not in ("id", "request_id")
    }
    values = copied | {"version": current.version + 1, "annotator_id": person.id, "created_at": moment} | changes
    return session.execute(insert(Annotation).values(**values).returning(Annotation.id)).scalar_one()


def _close_item_if_full(session: WriteSession, item_id: int, unit: int, overlap: int) -> None:
    if overlap > 1:
        answered = session.execute(
            select(func.count()).where(Lease.item_id == item_id, Lease.unit == unit, text("leases.state = 'answered'"))
        ).scalar_one()
        if answered < overlap:
            return
    session.execute(update(Item).where(Item.id == item_id).values(done=True))
    session.execute(update(QueueEntry).where(QueueEntry.item_id == item_id).values(done=True))


def _live_on_item(session: WriteSession, lease: Lease, person: Person) -> Lease:
    found = session.execute(
        select(Lease).where(
            Lease.item_id == lease.item_id,
            Lease.unit == lease.unit,
            Lease.annotator_id == person.id,
            text("leases.state = 'live'"),
        )
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("this lease holds no answer of yours")
    return found


def _current(statement: Select[Any]) -> Select[Any]:
    newer = aliased(Annotation)
    return statement.where(
        ~select(newer.id).where(newer.answer_id == Annotation.answer_id, newer.version > Annotation.version).exists()
    )


def _select_shown() -> Select[Any]:
    statement = (
        select(Annotation, Item.key, User.name.label("user_name"), Round.number.label("round_number"))
        .join(Item, Item.id == Annotation.item_id)
        .outerjoin(User, User.id == Annotation.annotator_id)
        .outerjoin(Round, Round.id == Annotation.round_id)
    )
    return cast("Select[Any]", statement)


def _of_row(session: Session, row: Row[Any]) -> StoredAnnotation:
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
    )
