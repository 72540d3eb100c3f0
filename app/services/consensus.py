"""What items are labelled with: their answers that count, and one label of them by the rules of disagreement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import Session

from app.db import Annotation, Item, Project, User, is_newest
from app.services import tasks
from app.task_types.base import Question

Conditions = Sequence[ColumnElement[bool]]

FETCHED = 1_000
ITEM = (
    Item.id,
    Item.key,
    Item.payload,
    Item.meta,
    Item.split,
    Item.reserved,
    Item.done,
    Item.state,
    Item.priority,
    Item.fingerprint,
)


@dataclass(frozen=True)
class Consensus:
    """An item's label in the stored form; null without one, or where a required question's vote is a tie (`disputed`).

    `votes` are the answers that decide; `agreement` is their mean pairwise one in 0 to 1, None for less than two.
    """

    label: dict[str, Any] | None = None
    votes: int = 0
    agreement: float | None = None
    disputed: bool = False


def of(answers: Sequence[Row[Any]], asked: Sequence[Question]) -> Consensus:
    """The newest decisive answer alone where there is one, else what most say of each question. O(answers squared)."""
    deciding = [each for each in answers if each.decisive][-1:] or answers
    if not deciding:
        return Consensus()
    stored = [tasks.in_force(each.label, asked) for each in deciding]
    if len(stored) == 1:
        return Consensus(stored[0], 1)
    agreement = _agreement(stored, asked)
    label = _decided(stored, asked)
    return Consensus(label, len(stored), agreement, disputed=label is None)


def shown(answers: Sequence[Row[Any]], asked: Sequence[Question]) -> dict[str, Any]:
    """`label` in the API's form, `votes`, `agreement` and `disputed` of an item with these answers."""
    agreed = of(answers, asked)
    label = None if agreed.label is None else tasks.show_label(agreed.label, asked)
    return {"label": label, "votes": agreed.votes, "agreement": agreed.agreement, "disputed": agreed.disputed}


def of_items(session: Session, project: Project, item_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What `shown` says of each of some items."""
    asked = tasks.questions(session, project)
    answers = answers_of(session, item_ids)
    return {item: shown(answers.get(item, []), asked) for item in item_ids}


def walk(session: Session, project: Project, which: Conditions = ()) -> Iterator[tuple[Row[Any], list[Row[Any]]]]:
    """Every item that fits, by id, with its answers that count; memory is bounded by the rows of a fetch."""
    statement = select(*ITEM).where(Item.project_id == project.id, Item.state != "deleted", *which)
    last_id = 0
    while found := session.execute(statement.where(Item.id > last_id).order_by(Item.id).limit(FETCHED)).all():
        last_id = found[-1].id
        answers = answers_of(session, [item.id for item in found])
        for item in found:
            yield item, answers.get(item.id, [])


def answers_of(session: Session, item_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """The current answers that count of some items, oldest first: `label`, `decisive`, `annotator`, `created_at`."""
    rows = session.execute(
        select(
            Annotation.item_id,
            Annotation.label,
            Annotation.decisive,
            User.name.label("user_name"),
            Annotation.annotator_name,
            Annotation.created_at,
        )
        .outerjoin(User, User.id == Annotation.annotator_id)
        .join(Item, (Item.id == Annotation.item_id) & (Item.revision == Annotation.item_revision))
        .where(Annotation.item_id.in_(item_ids), ~Annotation.retracted, Annotation.counted | Annotation.decisive)
        .where(is_newest())
        .order_by(Annotation.id)
    )
    found: dict[int, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.item_id, []).append(row)
    return found


def one_moment(session: Session) -> None:
    """Make every select of this session see the same moment; call it before the first one."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    else:
        session.connection().exec_driver_sql("BEGIN")


def _decided(stored: Sequence[dict[str, Any]], asked: Sequence[Question]) -> dict[str, Any] | None:
    """What most people said of each question; None where a question that has to be answered is a tie.

    Each question is decided by itself: two people who wrote another remark are not in dispute. A remark that few share
    is left out, and so is what is no longer asked by what was decided before.
    """
    label: dict[str, Any] = {}
    for question in asked:
        if not tasks.is_asked(question, label, asked):
            continue
        said = [each.get(question.id) for each in stored if tasks.is_asked(question, each, asked)]
        winners = _most_said(said)
        if len(winners) > 1 and question.required and not question.removed:
            return None
        if len(winners) == 1 and winners[0] is not None:
            label[question.id] = winners[0]
    return label


def _most_said(values: Sequence[dict[str, Any] | None]) -> list[dict[str, Any] | None]:
    votes: dict[bytes, int] = {}
    by_text = {}
    for value in values:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        votes[text] = votes.get(text, 0) + 1
        by_text[text] = value
    best = max(votes.values(), default=0)
    return [by_text[text] for text, count in votes.items() if count == best]


def _agreement(stored: Sequence[dict[str, Any]], asked: Sequence[Question]) -> float:
    pairs = [1 - tasks.distance(one, other, asked) for place, one in enumerate(stored) for other in stored[place + 1 :]]
    return round(sum(pairs) / len(pairs), 4)
