"""What a filter asks of rounds: the items that a round learned from, was judged by, and what changed between two."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.core.arrays import Doubles
from app.core.errors import Invalid
from app.core.filters import Condition
from app.db import Annotation, Item, Project, Round
from app.evaluation.reliability import bins_of
from app.services import answered, pairs, records
from app.services.among import among


def condition(session: Session, project: Project, asked: Condition) -> ColumnElement[bool]:
    """What must hold of an item for one of the fields of `FIELDS`, any of whose values will do.

    Raises:
        Invalid: there is no such round, or its record is not kept.
    """
    return or_(*(FIELDS[asked.name](session, project, each) for each in asked.values))


def _learned(session: Session, project: Project, value: str) -> ColumnElement[bool]:
    labels = _round(session, project, "learned", value).labels
    return _of_answers(session, labels)


def _taught(session: Session, project: Project, value: str) -> ColumnElement[bool]:
    """Items that the second round learned from and the first did not, or not from these answers."""
    first, second = (_round(session, project, "taught", each) for each in value.split(":"))
    return _of_answers(session, sorted(set(second.labels) - set(first.labels)))


def _judged(session: Session, project: Project, value: str) -> ColumnElement[bool]:
    number, _, which = value.partition(":")
    said = pairs.headline(_record(session, project, "judged", number))
    classes = len(_round(session, project, "judged", number).class_ids)
    if which.startswith(("sure:", "from:")) and any(each.chances is None for each in said.values()):
        raise Invalid(f"how sure round {number} was is not kept", fields={"judged": "not kept"})
    return answered.one_of(session, Item.id, [item for item, each in said.items() if _is(each, which, classes)])


def outcome(session: Session, row: Round) -> dict[str, int] | None:
    """Of how many items a round was `right` and `wrong`, as `judged=7:right` and `7:wrong` find them.

    `tied` are those whose answers are divided, so that none is ahead. None where nothing judged the round, or where its
    record is not kept. Cost: O(judged items).
    """
    record = records.of_round(session, row.id)
    said = {} if record is None else pairs.headline(record)
    if not said:
        return None
    there = select(Item.id).where(answered.one_of(session, Item.id, list(said)), Item.state != "deleted")
    found = [said[item].right for item in session.execute(there).scalars()]
    return {"right": found.count(True), "wrong": found.count(False), "tied": found.count(None)}


def _broken(session: Session, project: Project, value: str) -> ColumnElement[bool]:
    """Items that a round was right about, and wrong once they were disturbed in a way."""
    number, kind = value.split(":")
    kept = (_record(session, project, "broken", number).judged or {}).get(records.BROKEN, {})
    if kind not in kept:
        raise Invalid(f"what {kind} broke in round {number} is not kept", fields={"broken": "not kept"})
    return answered.one_of(session, Item.id, kept[kind])


def _is(found: pairs.Said, which: str, classes: int) -> bool:
    """Whether an item is `right`, `wrong`, of a class as `1`, of a class taken for a class as `1:2`, or anything.

    `sure:3`: said with a probability in the bin from 0.3 on, by a round of so many classes; `from:1:0.6`: class 1 has
    0.6 or more.
    """
    if which.startswith("sure:"):
        return int(which[5:]) in bins_of(_weighed(found, classes))
    if which.startswith("from:"):
        _, number, least = which.split(":")
        return (found.chances or {}).get(int(number), 0.0) >= float(least)
    if which in ("right", "wrong"):
        return found.right is (which == "right")
    if which.isdecimal():
        return int(which) in found.answer if isinstance(found.answer, list) else str(found.answer) == which
    return not which or [str(found.answer), str(found.said)] == which.split(":")


def _weighed(found: pairs.Said, classes: int) -> Doubles:
    """The probabilities that calibration is told of: that of the class said, or where several may hold, of each.

    Of several those that are not kept are below 0.05 (`records.LIKELY`): next to impossible, and in the lowest bin.
    """
    chances = list((found.chances or {}).values())
    unlikely = [0.0] * (classes - len(chances))
    return np.array([*chances, *unlikely] if isinstance(found.said, list) else [max(chances)])


def _moved(session: Session, project: Project, value: str) -> ColumnElement[bool]:
    first, second, *cell = value.split(":")
    before, after = (_record(session, project, "moved", each).sample for each in (first, second))
    found = pairs.moves(before, after, pairs.merged_now(session, project))
    kept = [each.item for each in found if not cell or [str(each.first), str(each.second)] == cell]
    return answered.one_of(session, Item.id, kept)


def _changed(name: str, which: str) -> Callable[[Session, Project, str], ColumnElement[bool]]:
    def fits(session: Session, project: Project, value: str) -> ColumnElement[bool]:
        first, second = (_record(session, project, name, each) for each in value.split(":"))
        common = pairs.common(first, second, pairs.merged_now(session, project))
        return answered.one_of(session, Item.id, [each.item for each in getattr(common, which)])

    return fits


FIELDS: Mapping[str, Callable[[Session, Project, str], ColumnElement[bool]]] = {
    "learned": _learned,
    "taught": _taught,
    "judged": _judged,
    "broken": _broken,
    "moved": _moved,
    "gained": _changed("gained", "gained"),
    "lost": _changed("lost", "lost"),
}
MANAGERS = frozenset({"judged", "broken", "gained", "lost"})  # they tell which items are of the audit share


def _of_answers(session: Session, ids: list[Any]) -> ColumnElement[bool]:
    taught = select(Annotation.item_id).where(answered.one_of(session, Annotation.id, ids))
    return and_(among(session, taught.distinct()), Item.split == "pool")


def _round(session: Session, project: Project, field: str, number: str) -> Any:
    found = session.execute(
        select(Round.id, Round.labels, Round.class_ids).where(
            Round.project_id == project.id, Round.number == int(number)
        )
    ).one_or_none()
    if found is None:
        raise Invalid(f"there is no round {number}", fields={field: "unknown round"})
    return found


def _record(session: Session, project: Project, field: str, number: str) -> Any:
    found = records.of_round(session, _round(session, project, field, number).id)
    if found is None:
        raise Invalid(f"what round {number} said is not kept", fields={field: "not kept"})
    return found
