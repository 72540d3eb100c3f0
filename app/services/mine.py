"""A person's own answers, skips and notes in a project: what that person said, and nothing of what others think.

A label is the person's own last version, also where a manager has changed the answer since. Why an item was asked, what
the model thinks of it, how others answered it and what became of it are not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from app.core.errors import Invalid
from app.core.filters import Condition, Filter
from app.db import Annotation, Flag, Item, Lease, Project
from app.services import answered, filters, tasks
from app.services.access import Person, project_for

SORTS = ("answered", "key")
STATUS = ("answered", "skipped", "flagged")
OWN = ("status", "class", "answered_after", "answered_before")


@dataclass(frozen=True)
class OwnAnswer:
    """One's own last version of an answer. `changeable` while it is the newest and the project is open."""

    id: int
    label: dict[str, Any]
    version: int
    created_at: datetime
    seconds_spent: float
    guidelines_version: int
    changeable: bool


@dataclass(frozen=True)
class OwnNote:
    """One's own note on an item, with the reply if there is one."""

    note: str
    state: str
    reply: str | None
    created_at: datetime


@dataclass(frozen=True)
class OwnItem:
    """An item with what one said about it."""

    item: Item
    answer: OwnAnswer | None
    skipped: bool
    notes: Sequence[OwnNote]


@dataclass(frozen=True)
class MinePage:
    """Some of one's items, and the place behind the last one while there are more."""

    project: Project
    items: Sequence[OwnItem]
    next: str | None


def page(
    session: Session, person: Person, ref: int | str, wanted: Filter, sort: str, limit: int, place: str | None
) -> MinePage:
    """One's own items that fit the filter, those last answered first unless `sort` says otherwise; for every member.

    The filter may ask for the content, for the class and the time of one's own answers, and for `status`: what one
    has answered (unless it says something else), skipped or left a note on. O(own answers).

    Raises:
        Invalid: a part of the filter asks for anything else, or an unknown order.
    """
    name, down = sort.removeprefix("-"), sort.startswith("-")
    if name not in SORTS:
        raise Invalid(f"sort is one of {', '.join(SORTS)}, with - before it to reverse", fields={"sort": sort[:40]})
    project = project_for(session, person, ref)
    _check(wanted)
    statuses = next((each.values for each in wanted.conditions if each.name == "status"), ("answered",))
    own = _places(project, person, statuses)
    content = Filter(tuple(each for each in wanted.conditions if each.name not in OWN))
    mine = [_said(session, project, person, each) for each in wanted.conditions if each.name in OWN[1:]]
    column: Any = Item.key if name == "key" else own.c.place
    statement = (
        select(Item, column.label("here"))
        .join(own, own.c.item_id == Item.id)
        .where(Item.project_id == project.id, Item.state != "deleted", *mine)
        .where(*filters.conditions(session, project, content))
    )
    if place is not None:
        there: Any = place if name == "key" else int(place)
        statement = statement.where(column < there if down else column > there)
    rows = session.execute(statement.order_by(column.desc() if down else column).limit(limit + 1)).all()
    shown = _shown(session, project, person, [row.Item for row in rows[:limit]])
    return MinePage(project, shown, str(rows[limit - 1].here) if len(rows) > limit else None)


def _check(wanted: Filter) -> None:
    for each in wanted.conditions:
        if each.metadata is None and each.name not in (*filters.CONTENT, *OWN):
            raise Invalid(
                f"of one's own answers {', '.join((*filters.CONTENT, *OWN))} and metadata can be asked",
                fields={each.name: "not of one's own answers"},
            )
        if each.name == "status" and not set(each.values) <= set(STATUS):
            raise Invalid(f"status is one of {', '.join(STATUS)} here", fields={"status": "unknown value"})


def _answers(project: Project, person: Person, answer: Any) -> list[ColumnElement[bool]]:
    """One's own last versions of answers that were not taken back."""
    later = aliased(Annotation)
    again = select(later.id).where(
        later.answer_id == answer.answer_id, later.annotator_id == person.id, later.version > answer.version
    )
    return [
        answer.project_id == project.id,
        answer.annotator_id == person.id,
        answer.origin == "human",
        ~again.correlate(answer).exists(),
        ~answered.taken_back(answer),
    ]


def _places(project: Project, person: Person, statuses: Sequence[str]) -> Any:
    """One's items with the moment's number by which they are ordered: of the answer, the lease or the note."""
    answer = aliased(Annotation)
    each: dict[str, Any] = {
        "answered": select(answer.item_id, func.max(answer.id).label("place"))
        .where(*_answers(project, person, answer))
        .group_by(answer.item_id),
        "skipped": select(Lease.item_id, func.max(Lease.id).label("place"))
        .where(Lease.project_id == project.id, Lease.annotator_id == person.id, Lease.state == "skipped")
        .group_by(Lease.item_id),
        "flagged": select(Flag.item_id, func.max(Flag.id).label("place"))
        .where(Flag.project_id == project.id, Flag.user_id == person.id)
        .group_by(Flag.item_id),
    }
    if len(statuses) == 1:
        return each[statuses[0]].subquery("own")
    first, *others = (each[name] for name in dict.fromkeys(statuses))
    every = first.union_all(*others).subquery()
    return select(every.c.item_id, func.max(every.c.item_id).label("place")).group_by(every.c.item_id).subquery("own")


def _said(session: Session, project: Project, person: Person, asked: Condition) -> ColumnElement[bool]:
    """Whether one's own answer names a class, or was given in a time."""
    answer = aliased(Annotation)
    found = select(answer.item_id).where(*_answers(project, person, answer))
    if asked.name == "class":
        numbers = [
            number for name in asked.values for number in answered.class_numbers(session, project, name, field="class")
        ]
        return Item.id.in_(found.where(answered.names_class(project, answer.label, numbers)))
    moments = [answered.moment(project, value, asked.name) for value in asked.values]
    if asked.name == "answered_after":
        return Item.id.in_(found.where(answer.created_at >= min(moments)))
    return Item.id.in_(found.where(answer.created_at < max(moments)))


def _shown(session: Session, project: Project, person: Person, items: Sequence[Item]) -> list[OwnItem]:
    ids = [item.id for item in items]
    newest = aliased(Annotation)
    last = select(func.max(newest.version)).where(newest.answer_id == Annotation.answer_id).scalar_subquery()
    rows = session.execute(
        select(Annotation, last.label("newest"))
        .where(Annotation.item_id.in_(ids), *_answers(project, person, Annotation))
        .order_by(Annotation.id)
    ).all()
    asked = tasks.questions(session, project)
    given = {row.Annotation.item_id: row for row in rows}
    skipped = set(
        session.execute(
            select(Lease.item_id).where(
                Lease.item_id.in_(ids), Lease.annotator_id == person.id, Lease.state == "skipped"
            )
        ).scalars()
    )
    notes: dict[int, list[OwnNote]] = {}
    flags = select(Flag).where(Flag.item_id.in_(ids), Flag.user_id == person.id).order_by(Flag.id)
    for flag in session.execute(flags).scalars():
        notes.setdefault(flag.item_id, []).append(OwnNote(flag.note, flag.state, flag.reply, flag.created_at))
    return [
        OwnItem(item, _answer(project, item, given.get(item.id), asked), item.id in skipped, notes.get(item.id, []))
        for item in items
    ]


def _answer(project: Project, item: Item, row: Any, asked: Any) -> OwnAnswer | None:
    if row is None:
        return None
    stored: Annotation = row.Annotation
    newest = stored.version == row.newest and stored.item_revision == item.revision
    return OwnAnswer(
        id=stored.id,
        label=tasks.show_label(stored.label, asked),
        version=stored.version,
        created_at=stored.created_at,
        seconds_spent=stored.seconds_spent,
        guidelines_version=stored.guidelines_version,
        changeable=newest and project.state == "open",
    )
