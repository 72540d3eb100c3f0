"""Projects that were deleted: hidden at once, brought back within seven days, purged after that."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.db import Job, Member, Project, WriteSession
from app.db.session import now
from app.services import audit, jobs
from app.services.access import Person, project_for

UNDO_DAYS = 7
SPARE_SECONDS = 60.0  # between the last moment of the undo and the purge
PURGE = "purge"  # the kind of job


def deleted(
    session: Session,
    person: Person,
    moment: datetime,
    limit: int | None = None,
    before: tuple[datetime, int] | None = None,
) -> Sequence[Project]:
    """What the person may bring back: projects deleted in the last seven days, for their managers; newest first.

    `before` is when a project was deleted, and its id.
    """
    since = moment - timedelta(days=UNDO_DAYS)
    statement = select(Project).where(Project.deleted_at > since).order_by(Project.deleted_at.desc(), Project.id.desc())
    if before is not None:
        statement = statement.where(tuple_(Project.deleted_at, Project.id) < tuple_(*before))
    if not person.admin:
        managed = select(Member.project_id).where(Member.user_id == person.id, Member.role == "manager")
        statement = statement.where(Project.id.in_(managed))
    if person.token_project is not None:
        statement = statement.where(Project.id == person.token_project)
    return session.execute(statement.limit(limit)).scalars().all()


def gone_at(project: Project) -> datetime | None:
    """Until when a deleted project can be brought back; None for one that is not deleted."""
    return None if project.deleted_at is None else project.deleted_at + timedelta(days=UNDO_DAYS)


def delete(session: WriteSession, person: Person, ref: int | str) -> None:
    """Hide a project; it can be brought back for seven days, then a job removes all of it."""
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    project.deleted_at = now(session)
    wait = timedelta(days=UNDO_DAYS).total_seconds() + SPARE_SECONDS
    jobs.enqueue(session, PURGE, project.id, {"project": project.id}, delay_seconds=wait)
    audit.record(session, "project.deleted", person.id, project_id=project.id)


def restore(session: WriteSession, person: Person, project_id: int) -> Project:
    """Bring a deleted project back. Raises NotFound after seven days, or for others than its managers."""
    person.need("manage")
    project = session.get(Project, project_id)
    moment = now(session)
    member = session.get(Member, (project_id, person.id))
    allowed = person.admin or (member is not None and member.role == "manager")
    if project is None or not allowed or project.deleted_at is None:
        raise NotFound("there is no such deleted project, or it is not yours")
    if (until := gone_at(project)) is None or moment > until:
        raise NotFound("it was deleted more than seven days ago")
    project.deleted_at = None
    waiting = update(Job).where(Job.project_id == project_id, Job.kind == PURGE, Job.state == "waiting")
    session.execute(waiting.values(state="cancelled", reason="the project was brought back", updated_at=moment))
    audit.record(session, "project.restored", person.id, project_id=project.id)
    return project
