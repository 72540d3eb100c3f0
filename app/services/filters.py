"""What a filter means in the tables: one condition on `items` for each of its parts.

Each is a look-up by index or a test of one row; together they cost at most a pass over the project's items. What the
model thinks is known of the items that the current round put in order and of its random sample, and of no others.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Subquery, and_, exists, false, null, or_, select, text, union_all
from sqlalchemy.orm import Session, aliased, defer

from app.core import filters
from app.core.errors import Invalid
from app.core.filters import Condition, Filter
from app.core.text import fold
from app.db import Annotation, Item, Lease, Prediction, Project, QueueEntry, Round, Serving
from app.db.functions import AnyMemberLike, Holds, Largest, MemberNumber, MemberText
from app.services import flags, tasks

COMPARE: dict[str, Callable[[Any, float], ColumnElement[bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CONTENT = ("key", "q")  # with the metadata all that an annotator may choose by: the rest tells what others think
LIKELY = 0.5  # from which on a class is predicted where an item may have several
STATUS = {
    "open": "items.state = 'open' AND NOT items.done AND items.split = 'pool'",
    "answered": "items.state = 'open' AND items.done AND items.split = 'pool'",
    "test": "items.state = 'open' AND items.split = 'audit'",
    "excluded": "items.state = 'excluded'",
    "fetching": "items.state = 'fetching'",
    "failed": "items.state = 'failed'",
}


def content_only(wanted: Filter) -> bool:
    """Whether a filter asks for nothing but what the item itself says."""
    return all(each.metadata is not None or each.name in CONTENT for each in wanted.conditions)


def conditions(session: Session, project: Project, wanted: Filter) -> list[ColumnElement[bool]]:
    """What must hold of a row of `items`. Raises Invalid for a class that the project does not have."""
    return [_condition(session, project, each) for each in wanted.conditions]


def current_round(session: Session, project: Project) -> Round | None:
    """The round whose order is served."""
    number = session.execute(select(Serving.round_id).where(Serving.project_id == project.id)).scalar_one()
    return session.get(Round, number, options=[defer(Round.labels)]) if number is not None else None


def predicted(round_id: int) -> Subquery:
    """What a round's model thinks: `item_id`, `probabilities` by the round's classes, their `best`, `score`.

    A few thousand rows: the round's order and its random sample; `score` is null for the latter.
    """
    order, sample, ordered = QueueEntry, Prediction, aliased(QueueEntry)
    in_order = exists().where(ordered.item_id == sample.item_id, ordered.round_id == round_id)
    both = union_all(
        select(order.item_id, order.probabilities, Largest(order.probabilities).label("best"), order.score).where(
            order.round_id == round_id, order.unit == 0
        ),
        select(
            sample.item_id, sample.probabilities, Largest(sample.probabilities).label("best"), null().label("score")
        ).where(sample.round_id == round_id, sample.unit == 0, ~in_order),
    )
    return both.subquery("predicted")


def class_numbers(session: Session, project: Project, name: str, *, field: str) -> list[int]:
    """The id of a class by its present or a former name, with those of the classes that were merged into it.

    Raises:
        Invalid: the project has no such class; names the field.
    """
    question = tasks.driving(tasks.questions(session, project))
    if fold(name) not in question.aliases:
        shown = name[:80]
        raise Invalid(f"the project has no class {shown!r}", fields={field: "unknown class"})
    return tasks.meaning(question, question.aliases[fold(name)])


def names_class(project: Project, label: Any, numbers: Sequence[int]) -> ColumnElement[bool]:
    """Whether a column of labels names one of some classes."""
    label = label[project.task["questions"][0]["id"]]
    if _multiple(project):
        return or_(*(Holds(label["class_ids"], number) for number in numbers))
    return cast("ColumnElement[bool]", label["class_id"].as_integer().in_(numbers))


def _condition(session: Session, project: Project, asked: Condition) -> ColumnElement[bool]:
    if asked.metadata is not None:
        return _metadata(asked, asked.metadata)
    match asked.name:
        case "key":
            return Item.key.in_(asked.values)
        case "state" | "split":
            return (Item.state if asked.name == "state" else Item.split).in_(asked.values)
        case "status":
            return or_(*(_status(project, each) for each in asked.values))
        case "q":
            return and_(*(_mentions(project, word) for word in filters.words(asked.values)))
        case "class":
            return _answered_with(project, _numbers(session, project, asked))
    return _predicted(session, project, asked)


def _metadata(asked: Condition, name: str) -> ColumnElement[bool]:
    number = MemberNumber(Item.meta, name)
    if asked.operator != "=":
        return COMPARE[asked.operator](number, asked.number)
    numbers = [float(each) for each in asked.values if filters.NUMBER.fullmatch(each)]
    same = MemberText(Item.meta, name).in_(asked.values)
    return or_(same, number.in_(numbers)) if numbers else same


def _status(project: Project, status: str) -> ColumnElement[bool]:
    if status == "skipped":
        lease = aliased(Lease)
        return Item.id.in_(select(lease.item_id).where(lease.project_id == project.id, lease.state == "skipped"))
    if status == "flagged":
        return flags.flagged(project.id)
    return text(STATUS[status])  # type: ignore[return-value]  # a condition in words


def _mentions(project: Project, word: str) -> ColumnElement[bool]:
    """Whether a word occurs in the key or the content, whatever the case of A to Z."""
    in_key = Item.key.icontains(word, autoescape=True)
    if project.modality == "table":
        escaped = "".join(f"/{each}" if each in "/%_" else each for each in word.lower())
        return or_(in_key, AnyMemberLike(Item.payload["row"], f"%{escaped}%"))
    shown = Item.payload["text"] if project.modality == "text" else Item.payload[project.modality]["name"]
    return or_(in_key, shown.as_string().icontains(word, autoescape=True))


def _numbers(session: Session, project: Project, asked: Condition) -> list[int]:
    """The ids of classes by their present or former names, those that were merged into them among them."""
    return [number for name in asked.values for number in class_numbers(session, project, name, field=asked.name)]


def _answered_with(project: Project, numbers: Sequence[int]) -> ColumnElement[bool]:
    """Whether one of the answers that count names one of the classes."""
    answer, newer = aliased(Annotation), aliased(Annotation)  # an export selects from annotations itself
    return Item.id.in_(
        select(answer.item_id).where(
            answer.project_id == project.id,
            answer.item_revision == Item.revision,
            ~answer.retracted,
            or_(answer.counted, answer.decisive),
            names_class(project, answer.label, numbers),
            ~exists().where(newer.answer_id == answer.answer_id, newer.version > answer.version),
        )
    )


def _predicted(session: Session, project: Project, asked: Condition) -> ColumnElement[bool]:
    numbers = _numbers(session, project, asked) if asked.name == "predicted.class" else []
    current = current_round(session, project)
    if current is None:
        return false()
    known = predicted(current.id)
    if asked.name == "predicted.probability":
        holding: ColumnElement[bool] = COMPARE[asked.operator](known.c.best, asked.number)
    else:
        places = [current.class_ids.index(number) for number in numbers if number in current.class_ids]
        likely: list[Any] = [known.c.probabilities[place].as_float() for place in places]
        multiple = _multiple(project)
        holding = or_(false(), *(each >= (LIKELY if multiple else known.c.best) for each in likely))
    return Item.id.in_(select(known.c.item_id).where(holding))


def _multiple(project: Project) -> bool:
    return bool(project.task["questions"][0].get("options", {}).get("multiple"))
