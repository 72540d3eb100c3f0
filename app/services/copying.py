"""A project made after another one: its settings, classes, guidelines and members, without its items."""

import secrets
from typing import Any

from sqlalchemy import select

from app.core.errors import Forbidden
from app.db import Member, Project, ProjectClass, Serving, WriteSession
from app.db.session import now
from app.services import audit, guidelines, tasks
from app.services.access import Person, project_for
from app.services.projects import SIMPLE, checked_name, free_slug

SETTINGS = ("modality", "task", "strategy", "learner", "featurizer", *SIMPLE)
LOOKS = ("question", "name", "folded_name", "aliases", "color", "hotkey", "description", "position")


def copy(session: WriteSession, person: Person, source: int | str, name: str, slug: str | None) -> Project:
    """Make a project like another one that the person manages; the person is its manager too.

    Classes that are retired or merged stay behind; the others are numbered anew and keep their former names. The draw
    of the audit share is the copy's own.

    Raises:
        NotFound, Forbidden: the other project is not the person's to manage.
        Conflict: the slug is taken.
    """
    person.need("manage")
    if person.token_project is not None:
        raise Forbidden("this token is bound to another project")
    model = project_for(session, person, source, "manager")
    moment, named = now(session), checked_name(name)
    project = Project(
        name=named,
        slug=free_slug(session, slug, named),
        seed=secrets.randbits(62),
        created_at=moment,
        updated_at=moment,
        **{key: getattr(model, key) for key in SETTINGS if key != "task"},
        task={"questions": [each for each in model.task["questions"] if not each.get("removed_in")]},
    )
    session.add(project)
    session.flush()
    session.add(Serving(project_id=project.id))
    guidelines.begin(session, project, person.id)
    present = {each["id"] for each in project.task["questions"]}
    numbers: dict[int, int] = {}
    for row in tasks.classes_of(session, model.id, retired=False):
        if row.question in present:
            numbers[row.number] = len(numbers) + 1
            looks = {key: getattr(row, key) for key in LOOKS}
            session.add(ProjectClass(project_id=project.id, number=numbers[row.number], **looks))
    project.task = _renumbered(project.task, numbers)
    members = session.execute(select(Member.user_id, Member.role).where(Member.project_id == model.id)).all()
    roles: dict[int, str] = dict(members)
    audit.record(session, "project.created", person.id, project_id=project.id, copy_of=model.id)
    for user, role in (roles | {person.id: "manager"}).items():
        session.add(Member(project_id=project.id, user_id=user, role=role, created_at=moment))
        if user != person.id:
            audit.record(session, "member.set", person.id, project_id=project.id, user=user, role=role)
    session.flush()
    return project


def _renumbered(task: dict[str, Any], numbers: dict[int, int]) -> dict[str, Any]:
    """The questions with the numbers that their conditions' classes have in the copy; conditions begin anew."""
    copied = []
    for each in task["questions"]:
        wanted = {
            question: [numbers[number] for number in classes if number in numbers]
            for question, classes in each.get("show_if", {}).items()
        }
        kept = {key: value for key, value in each.items() if key not in ("show_if", "required_since")}
        copied.append(kept | ({"show_if": wanted} if wanted else {}))
    return {"questions": copied}
