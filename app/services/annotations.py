"""Answers: submitted for a lease, taken back, corrected. Append-only, idempotent, never lost."""

from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Forbidden, Gone, Invalid, InvalidLabel, NotFound, VersionMismatch
from app.db import Annotation, Item, Lease, Project, WriteSession
from app.db.session import now
from app.services import answers, closing, decisions, leases, rounds, tasks
from app.services.access import RANK, Person, Role, project_and_role, visible
from app.services.answers import StoredAnnotation

MAX_SECONDS = 86_400
ROLE = text("SELECT role FROM members WHERE project_id = :project AND user_id = :person")


class AlreadyAnswered(Conflict):
    """This lease was answered before with another label."""


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
        Invalid: the request id came with another answer before.
    """
    if not 0 <= seconds_spent <= MAX_SECONDS:
        raise Invalid(f"seconds_spent is 0 to {MAX_SECONDS:,}", fields={"seconds_spent": seconds_spent})
    request_id = uuid5(request_id, str(person.id)) if request_id else None  # keys are each person's own
    held = answers.held(session, lease_id, person, request_id)
    if held.earlier is not None:
        return _sent_before(session, held, label, person)
    if held.item_state == "deleted":
        raise Gone("the item was deleted; your label is in this answer", label=label)
    if held.project_state in ("closed", "archived"):
        raise Conflict(f"the project is {held.project_state}; your label is in this answer", label=label)
    asked = tasks.questions_at(session, held.project_id, held.project_version, held.project_updated_at)
    checked = tasks.check_label(label, asked, held.task_version)
    if tasks.compares(asked):
        tasks.check_item(checked, asked, session.get_one(Item, held.item_id).payload)
    if held.state != "live" and (before := _answered_before(session, held, checked, person)) is not None:
        return before
    moment = held.moment or now(session)
    stored = answers.store(session, held, person, checked, request_id, seconds_spent, moment)
    rounds.ask_at_end(session, held.project_id, held.project_state, held.round_size, moment)
    return stored


def take_back(session: WriteSession, person: Person, lease_id: int, seconds: int) -> Lease | None:
    """Take back one's own answer or skip and hold the item again under a fresh lease.

    Works also when the reply to the answer was lost, and answers a repeated request with the same lease. None
    when a colleague holds the item by now: the answer is taken back all the same.

    Raises:
        NotFound: no such lease, another annotator's, or it holds nothing to take back.
        Gone: the item was deleted.
        Conflict: the answer was corrected by a colleague.
    """
    lease = leases.mine(session, lease_id, person)
    item = session.get_one(Item, lease.item_id)
    if item.state == "deleted":
        raise Gone("the item was deleted")
    moment = now(session)
    until = leases.end(moment, seconds, lease.hold_hours)
    if lease.state == "live":
        return lease
    closing.hold(session, [lease.item_id])
    standing = answers.current(select(Annotation)).where(Annotation.lease_id == lease_id, ~Annotation.retracted)
    current = session.execute(standing.order_by(Annotation.id.desc())).scalars().first()
    if current is None and lease.state != "skipped":
        return _live_on_item(session, lease, person)
    if current is not None and current.annotator_id != person.id:
        raise Conflict("a colleague has corrected your answer: it is not yours to take back")
    if lease.state == "skipped":
        session.execute(update(Item).where(Item.id == lease.item_id, Item.skips > 0).values(skips=Item.skips - 1))
    if current is not None:
        answers.append_version(session, current, person, moment, retracted=True)
        closing.refresh(session, session.get_one(Project, lease.project_id), [lease.item_id])
    return leases.again(session, lease, moment, until)


def correct(
    session: WriteSession, person: Person, annotation_id: int, label: Any, expected_version: int
) -> StoredAnnotation:
    """Write a new version of an answer: one's own, or anybody's as a reviewer or manager.

    A manager's correction is decisive: it wins over the other answers of the item.

    Raises:
        NotFound: no such annotation, or its project is not the person's.
        Forbidden: another person's answer, and the role is annotator.
        Conflict: an annotator's own answer, and the project is not open.
        VersionMismatch: it was changed in the meantime.
    """
    asked, project = visible(session, person, Annotation, annotation_id)
    closing.hold(session, [asked.item_id])
    versions = select(Annotation).where(Annotation.answer_id == asked.answer_id)
    current = session.execute(answers.current(versions)).scalar_one()
    if not may_review(session, person, project.id):
        if current.annotator_id != person.id:
            raise Forbidden("only a reviewer or manager changes another person's answer")
        if project.state != "open":
            raise Conflict(f"the project is {project.state}: answers are changed while it is open")
    if current.version != expected_version or current.retracted:
        raise VersionMismatch(f"the newest version is {current.version}")
    questions = tasks.questions(session, project)
    checked = tasks.check_label(label, questions, current.task_version)
    tasks.check_item(checked, questions, session.get_one(Item, current.item_id).payload)
    moment = now(session)
    decisive = may_review(session, person, project.id, least="manager")
    new_id = answers.append_version(session, current, person, moment, label=checked, decisive=decisive)
    if decisive or current.decisive:
        closing.refresh(session, project, [current.item_id])
    rounds.request_if_due(session, project.id, project.state, project.round_size, moment)
    stored = answers.shown(session, new_id)
    return stored if decisive else replace(stored, kind=None)


def retract(session: WriteSession, person: Person, annotation_id: int, expected_version: int) -> StoredAnnotation:
    """Take an answer back as one more version, for reviewers and managers; its item is asked about again.

    Raises:
        NotFound: no such annotation, or its project is not the person's.
        VersionMismatch: it was changed or taken back in the meantime.
    """
    asked, project = visible(session, person, Annotation, annotation_id, "reviewer")
    role = project_and_role(session, person, project.id)[1]
    session.execute(select(Lease.id).where(Lease.id == asked.lease_id).with_for_update())
    closing.hold(session, [asked.item_id])
    versions = select(Annotation).where(Annotation.answer_id == asked.answer_id)
    current = session.execute(answers.current(versions)).scalar_one()
    if current.version != expected_version or current.retracted:
        raise VersionMismatch(f"the newest version is {current.version}")
    stored = answers.shown(session, decisions.retract(session, project, person, current))
    return stored if role == "manager" else replace(stored, kind=None)


def may_review(session: Session, person: Person, project_id: int, least: Role = "reviewer") -> bool:
    """Whether the person has at least that role in the project."""
    if person.admin:
        return True
    role = session.connection().execute(ROLE, {"project": project_id, "person": person.id}).scalar_one_or_none()
    return role is not None and RANK[role] >= RANK[least]


def _seen_by(person: Person, held: Row[Any], stored: StoredAnnotation) -> StoredAnnotation:
    """An answer as this person may see it: why an item was served is for managers."""
    return stored if person.admin or held.role == "manager" else replace(stored, kind=None)


def _sent_before(session: WriteSession, held: Row[Any], label: Any, person: Person) -> StoredAnnotation:
    """The answer that came with this request id before; raises Invalid where this is another one."""
    stored = session.get_one(Annotation, held.earlier)
    asked = tasks.questions_at(session, held.project_id, held.project_version, held.project_updated_at)
    with suppress(InvalidLabel):  # the same one may have become invalid since: a class was deleted
        checked = tasks.check_label(label, asked, held.task_version)
        if stored.lease_id != held.id or tasks.in_force(stored.label, asked) != tasks.in_force(checked, asked):
            raise Invalid(
                "this Idempotency-Key came with another answer before: make a new one for each answer",
                fields={"Idempotency-Key": "used before"},
            )
    return _seen_by(person, held, answers.shown(session, held.earlier))


def _answered_before(
    session: WriteSession, held: Row[Any], label: dict[str, Any], person: Person
) -> StoredAnnotation | None:
    """The answer that the lease has, where it is this one; None where it has none that stands."""
    found = answers.of_lease(session, held.id)
    if found is None:
        return None
    if found.Annotation.annotator_id != person.id:
        raise Conflict("the lease was answered and then corrected by a colleague")
    stored, stored_label = answers.of_row(session, found), found.Annotation.label
    asked = tasks.questions_at(session, held.project_id, held.project_version, held.project_updated_at)
    if tasks.in_force(stored_label, asked) != tasks.in_force(label, asked):
        raise AlreadyAnswered("this lease was answered before with another label", label=stored.label)
    return _seen_by(person, held, stored)


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
