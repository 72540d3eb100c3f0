"""Pages of items: filtered, sorted, and continued behind a place; never counted off from the beginning.

A page costs a walk of an index from its place on by `key`, `created` and `updated`. By `score` and `probability` the
few thousand items come first that the current round has an opinion of, the others follow by id. What a filter costs
comes on top: see `filters`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select, text, tuple_
from sqlalchemy.orm import Session

from app.core.errors import Invalid
from app.core.filters import Filter
from app.core.text import read_json, write_json
from app.db import Item, Project, Round
from app.services import filters, search, tasks
from app.services.access import Person, project_and_role
from app.services.among import of_project

SORTS = ("key", "created", "updated", "score", "probability")
NOT_DELETED = text("items.state != 'deleted'")  # word for word the condition of the index on keys


@dataclass(frozen=True)
class Opinion:
    """What the current round thinks of an item: the most probable label in the API's form, and its place's score."""

    label: dict[str, Any]
    probability: float
    round: int
    score: float | None


@dataclass(frozen=True)
class ItemsPage:
    """Some items with the round's opinions of them by id, and the place behind the last one while there are more.

    `unindexed` is given where the filter searches and the index does not hold every item yet.
    """

    project: Project
    items: list[Item]
    opinions: dict[int, Opinion]
    next: str | None
    unindexed: search.Unindexed | None


def page(
    session: Session, person: Person, ref: int | str, wanted: Filter, sort: str, limit: int, place: str | None
) -> ItemsPage:
    """Items that fit the filter, in the order asked for, behind a place; for reviewers and managers.

    `sort` is one of SORTS; `-` before it reverses. `place` is what the page before gave, and nobody else's word.

    Raises:
        Invalid: an unknown order, or a class that the project does not have.
    """
    name, down = sort.removeprefix("-"), sort.startswith("-")
    if name not in SORTS:
        raise Invalid(f"sort is one of {', '.join(SORTS)}, with - before it to reverse", fields={"sort": sort[:40]})
    project, role = project_and_role(session, person, ref, "reviewer")
    filters.permit(wanted, manager=role == "manager")
    conditions = filters.conditions(session, project, wanted)
    fitting = select(Item).where(of_project(project.id, conditions), NOT_DELETED, *conditions)
    behind = None if place is None else read_json(place.encode())
    current = filters.current_round(session, project)
    if name in ("score", "probability"):
        found = _by_opinion(session, fitting, current, name, down, limit + 1, behind)
    else:
        found = _by_column(session, fitting, name, down, limit + 1, behind)
    more = write_json(found[limit - 1][1]) if len(found) > limit else None
    items = [item for item, _ in found[:limit]]
    compared = any(map(filters.compares, wanted.conditions))
    searched = compared or any(map(filters.searches, wanted.conditions))
    lacking = search.unindexed(session, project.id, compared=compared) if searched else None
    return ItemsPage(project, items, opinions(session, project, current, [item.id for item in items]), more, lacking)


def opinions(session: Session, project: Project, current: Round | None, item_ids: list[int]) -> dict[int, Opinion]:
    """What the current round thinks of some items; those that it does not know are left out."""
    if current is None or not item_ids:
        return {}
    known = filters.predicted(current.id)
    questions = tasks.questions(session, project)
    question = tasks.driving(questions)
    found = {}
    for row in session.execute(select(known).where(known.c.item_id.in_(item_ids), known.c.best.is_not(None))):
        ranked = tasks.opinion(question, current.class_ids, row.probabilities)
        stored, probability = tasks.likely(question, ranked)
        label = tasks.show_label({question.id: stored}, questions)
        found[row.item_id] = Opinion(label, round(probability, 5), current.number, row.score)
    return found


Found = list[tuple[Item, list[Any]]]


def _by_column(session: Session, fitting: Select[Any], name: str, down: bool, limit: int, behind: Any) -> Found:
    columns: dict[str, list[Any]] = {"key": [Item.key], "created": [Item.id], "updated": [Item.updated_at, Item.id]}
    order = columns[name]
    if behind is not None and name == "updated":
        behind = [datetime.fromisoformat(behind[0]), behind[1]]
    # The ids first: sorting many whole rows would cost ten times what sorting their places does.
    ids = session.execute(_walk(fitting.with_only_columns(Item.id), order, down, behind).limit(limit)).scalars().all()
    known = {item.id: item for item in session.execute(select(Item).where(Item.id.in_(ids))).scalars()}
    found = [known[number] for number in ids if number in known]
    return [(item, [_plain(getattr(item, each.key)) for each in order]) for item in found]


def _by_opinion(
    session: Session, fitting: Select[Any], current: Round | None, name: str, down: bool, limit: int, behind: Any
) -> Found:
    """First the items with an opinion, whose places are [value, id], then the others, whose places are [id]."""
    found: Found = []
    unknown = fitting
    if current is not None:
        known = filters.predicted(current.id)
        value = known.c.score if name == "score" else known.c.best
        if behind is None or len(behind) == 2:
            joined = fitting.add_columns(value).join(known, known.c.item_id == Item.id).where(value.is_not(None))
            rows = session.execute(_walk(joined, [value, Item.id], down, behind).limit(limit)).all()
            found = [(item, [number, item.id]) for item, number in rows]
        unknown = fitting.where(Item.id.not_in(select(known.c.item_id).where(value.is_not(None))))
    if len(found) < limit:
        place = behind if behind is not None and len(behind) == 1 else None
        rest = session.execute(_walk(unknown, [Item.id], down, place).limit(limit - len(found))).scalars()
        found += [(item, [item.id]) for item in rest]
    return found


def _walk(statement: Select[Any], order: list[Any], down: bool, behind: Any) -> Select[Any]:
    """The rows behind a place, in order. The last column of the order tells all rows apart."""
    if behind is not None:
        here: ColumnElement[Any] = tuple_(*order) if len(order) > 1 else order[0]
        there: Any = tuple_(*behind) if len(order) > 1 else behind[0]
        statement = statement.where(here < there if down else here > there)
    return statement.order_by(*(each.desc() if down else each for each in order))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
