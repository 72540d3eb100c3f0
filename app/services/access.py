"""Who asks, and what that person may see: every service goes through these functions.

A project that is not yours does not exist (404); a role that is too low is refused (403). From an id that a request
names to a row of a project there is one way, `visible`: whoever looks a row up by himself forgets one day whose it is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.core.errors import Forbidden, NotFound
from app.core.text import INT64_MAX
from app.db import Annotation, Flag, Item, Job, Lease, Media, Member, PredictionSet, Project, Webhook

Role = Literal["annotator", "reviewer", "manager"]
RANK: dict[str, int] = {"annotator": 1, "reviewer": 2, "manager": 3}
NOUNS: dict[type, str] = {
    Annotation: "annotation",
    Flag: "flag",
    Item: "item",
    Job: "job",
    Lease: "lease",
    Media: "file",
    PredictionSet: "version of predictions",
    Webhook: "webhook",
}


# Every request for a project begins with this: made once, as making it costs more than the database does with it.
STANDING = {
    name: select(Project, Member.role, Member.slice)
    .outerjoin(Member, (Member.project_id == Project.id) & (Member.user_id == bindparam("person")))
    .where(column == bindparam(name), Project.deleted_at.is_(None))
    for name, column in (("id", Project.id), ("slug", Project.slug))
}


class OfProject(Protocol):
    """A table whose rows belong to a project."""

    @property
    def project_id(self) -> int | None:
        """Whose row it is."""
        ...


Seen = TypeVar("Seen", bound=OfProject)


@dataclass(frozen=True)
class Person:
    """Who asks. `scopes` is None for a browser and limits a token; a token may be bound to one project, and end."""

    id: int
    name: str
    admin: bool = False
    scopes: frozenset[str] | None = None
    token_project: int | None = None
    ends: datetime | None = None

    def need(self, scope: str) -> None:
        """Raise Forbidden when a token lacks the scope: read, label, import or manage."""
        if self.scopes is not None and scope not in self.scopes:
            raise Forbidden(f"this token has no scope '{scope}'")


@dataclass(frozen=True)
class Standing:
    """A project, the person's role in it, and the filter that the person's items are limited to, if any."""

    project: Project
    role: Role
    slice: str | None


def project_for(session: Session, person: Person, ref: int | str, least: Role = "annotator") -> Project:
    """The project by id or slug, if the person has at least that role in it. Raises as `project_and_role` does."""
    return project_and_role(session, person, ref, least)[0]


def project_and_role(
    session: Session, person: Person, ref: int | str, least: Role = "annotator"
) -> tuple[Project, Role]:
    """The project by id or slug and the person's role in it; admins count as managers. Raises as `standing` does."""
    found = standing(session, person, ref, least)
    return found.project, found.role


def standing(session: Session, person: Person, ref: int | str, least: Role = "annotator") -> Standing:
    """The project by id or slug, and what the person is in it; admins count as managers.

    Raises:
        NotFound: no such project, deleted, or not the person's.
        Forbidden: the role is too low.
    """
    name, value = _named(ref)
    row = session.execute(STANDING[name], {name: value, "person": person.id}).first()
    if row is None or (person.token_project is not None and person.token_project != row.Project.id):
        raise NotFound("there is no such project, or it is not yours")
    role: Role | None = "manager" if person.admin else row.role
    if role is None:
        raise NotFound("there is no such project, or it is not yours")
    if RANK[role] < RANK[least]:
        raise Forbidden(f"this needs the role {least}; yours is {role}")
    return Standing(row.Project, role, row.slice)


def visible(
    session: Session, person: Person, table: type[Seen], number: int, least: Role = "annotator"
) -> tuple[Seen, Project]:
    """A row by the id that a request names, and its project, if the person has at least that role there.

    Raises:
        NotFound: no such row, or it is of a project that is not the person's: in the same words, so that nobody
            learns which ids there are.
        Forbidden: the role is too low.
    """
    row = session.get(table, number) if 0 < number <= INT64_MAX else None
    if row is None or row.project_id is None:
        raise absent(table)
    try:
        return row, standing(session, person, row.project_id, least).project
    except NotFound:
        raise absent(table) from None


def absent(table: type) -> NotFound:
    """What is said of a row that there is not, and of one that the person may not know of."""
    return NotFound(f"there is no such {NOUNS[table]}, or it is not yours")


def _named(ref: int | str) -> tuple[str, int | str]:
    """What a project is named by: its column and the value."""
    text = str(ref)
    if text.isascii() and text.isdigit():
        number = int(text[:20])  # longer ones are beyond 64 bits anyway, and Python reads some thousand digits at most
        return "id", number if number <= INT64_MAX else -1
    return "slug", text
