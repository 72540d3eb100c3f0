"""What a filter means in the tables: one condition on `items` for each of its parts.

Words and values of metadata are looked up in the full-text index, answers, notes and the round's opinions in their own
tables, numbers of metadata in a table of theirs; the rest is a test of one row. A part that few items fit gives their
ids, and those alone are read; one that many fit is tested item by item along the order asked for, where the first ones
are soon found. Words without a letter or digit cost a pass over the project's items. What the model thinks is known of
the items that the current round put in order, of its random sample, of labelled items that it hardly agrees with, and
of no others.
"""

from typing import Any

from sqlalchemy import CTE, ColumnElement, and_, false, func, null, or_, select, union_all
from sqlalchemy.orm import Session, aliased, defer

from app.core import filters
from app.core.errors import Forbidden
from app.core.filters import Condition, Filter
from app.db import Item, Lease, Prediction, Project, QueueEntry, Round, Serving
from app.db.functions import AnyMemberLike, HasMember, Largest, MemberNumber, MemberText, Tested
from app.services import answered, between, doubting, drift, flags, numbers, search, tasks
from app.services.among import among, are_few
from app.services.leases import SKIPS_UNTIL_A_LOOK

CONTENT = ("key", "q")  # with the metadata all that an annotator may choose by: the rest tells what others think
MANAGERS = frozenset({"kind"}) | between.MANAGERS
STATUS: dict[str, dict[str, Any]] = {
    "open": {"state": "open", "split": "pool", "done": False},
    "answered": {"state": "open", "split": "pool", "done": True},
    "test": {"state": "open", "split": "audit"},
    "excluded": {"state": "excluded"},
    "fetching": {"state": "fetching"},
    "failed": {"state": "failed"},
}


def content_only(wanted: Filter) -> bool:
    """Whether a filter asks for nothing but what the item itself says."""
    return all(each.metadata is not None or each.name in CONTENT for each in wanted.conditions)


def permit(wanted: Filter, *, manager: bool) -> None:
    """Raise Forbidden where a filter asks why items were served or what judges, which only managers are told."""
    if not manager and (asked := MANAGERS.intersection(wanted.names)):
        raise Forbidden(f"only managers choose by {' and '.join(sorted(asked))}")


def conditions(session: Session, project: Project, wanted: Filter) -> list[ColumnElement[bool]]:
    """What must hold of a row of `items`. Raises Invalid for a class that the project does not have."""
    indexed = [each for each in wanted.conditions if searches(each)]
    compared = [each for each in wanted.conditions if compares(each)]
    given = [each for each in wanted.conditions if each.name in answered.GIVEN]
    others = [each for each in wanted.conditions if each not in (*indexed, *compared, *given)]
    return [
        *(_looked_up(session, project, indexed) if indexed else []),
        *(_compared(session, project, compared) if compared else []),
        *([answered.given(session, project, given)] if given else []),
        *(_condition(session, project, each) for each in others),
    ]


def searches(asked: Condition) -> bool:
    """Whether a part of a filter is looked up in the full-text index."""
    return asked.name == "q" or (asked.metadata is not None and asked.operator == "=")


def compares(asked: Condition) -> bool:
    """Whether a part of a filter compares a number in the metadata."""
    return asked.metadata is not None and asked.operator != "="


def current_round(session: Session, project: Project) -> Round | None:
    """The round whose order is served."""
    number = session.execute(select(Serving.round_id).where(Serving.project_id == project.id)).scalar_one()
    return session.get(Round, number, options=[defer(Round.labels)]) if number is not None else None


def predicted(round_id: int) -> CTE:
    """What a round's model thinks: `item_id`, `probabilities` by the round's classes, their `best`, `score`.

    A few thousand rows: the round's order, its random sample and labelled items; `score` is null for the latter two.
    Written so that PostgreSQL makes them once, whatever it believes of tables that grew since it last counted them.
    """
    order, sample, ordered = QueueEntry, Prediction, aliased(QueueEntry)
    in_order = sample.item_id.in_(select(ordered.item_id).where(ordered.round_id == round_id))
    both = union_all(
        select(order.item_id, order.probabilities, Largest(order.probabilities).label("best"), order.score).where(
            order.round_id == round_id, order.unit == 0
        ),
        select(
            sample.item_id, sample.probabilities, Largest(sample.probabilities).label("best"), null().label("score")
        ).where(sample.round_id == round_id, sample.unit == 0, ~in_order),
    )
    return both.cte("predicted").prefix_with("MATERIALIZED", dialect="postgresql")


def _condition(session: Session, project: Project, asked: Condition) -> ColumnElement[bool]:
    match asked.name:
        case "key":
            return Item.key.in_(asked.values)
        case "state" | "split":
            return (Item.state if asked.name == "state" else Item.split).in_(asked.values)
        case "status":
            return or_(*(_status(session, project, each) for each in asked.values))
        case "class":
            return answered.of_class(session, project, _class_ids(session, project, asked))
        case "disputed" | "doubtful" | "drifted" | "queued":
            marked = {"disputed": answered.disputed, "doubtful": doubting.doubtful, "drifted": drift.drifted}
            return (marked | {"queued": _queued})[asked.name](session, project)
        case "missing":
            return or_(*(~HasMember(Item.meta, each) for each in asked.values))
        case filters.LENGTH:
            length = func.length(Item.payload["text"].as_string())
            return numbers.COMPARE[asked.operator](length, asked.number)
    return _of_rounds(session, project, asked)


def _of_rounds(session: Session, project: Project, asked: Condition) -> ColumnElement[bool]:
    if asked.name in between.FIELDS:
        return between.condition(session, project, asked)
    return _predicted(session, project, asked)


def _looked_up(session: Session, project: Project, asked: list[Condition]) -> list[ColumnElement[bool]]:
    """Words and values of metadata through the index; what it does not hold yet, or cannot tell, is tested."""
    words = filters.words(word for each in asked if each.name == "q" for word in each.values)
    values = [(each.metadata, each) for each in asked if each.metadata is not None]
    tests = [_metadata(each, name) for name, each in values]
    tests += [_mentions(project, word) for word in words if search.words(word) != [word.casefold()]]
    groups = [[search.beginning_with(project.id, part)] for word in words for part in search.words(word)]
    groups += [[search.with_value(project.id, name, value) for value in _meant(each)] for name, each in values]
    reached = search.reach(session, project.id)
    if not groups or reached.to == 0:
        return [*tests, *(_mentions(project, word) for word in words)]
    found = among(session, search.matching(session, groups))
    if not reached.whole:
        found = or_(found, and_(Item.id > reached.to, *(_mentions(project, word) for word in words)))
    return [found, *tests]


def _meant(asked: Condition) -> list[str | float]:
    """What a value in an address may be: a text, and a number."""
    return [*asked.values, *(float(each) for each in asked.values if filters.NUMBER.fullmatch(each))]


def _compared(session: Session, project: Project, asked: list[Condition]) -> list[ColumnElement[bool]]:
    """Comparisons of metadata, those of one name together."""
    by_name: dict[str, list[Condition]] = {}
    for each in asked:
        by_name.setdefault(each.metadata or "", []).append(each)
    reached = search.reach(session, project.id).numbers
    return [
        condition
        for name, comparisons in by_name.items()
        for condition in numbers.fitting(session, project.id, name, comparisons, reached)
    ]


def _metadata(asked: Condition, name: str) -> ColumnElement[bool]:
    meant = [float(each) for each in asked.values if filters.NUMBER.fullmatch(each)]
    same = MemberText(Item.meta, name).in_(asked.values)
    return or_(same, MemberNumber(Item.meta, name).in_(meant)) if meant else same


def _status(session: Session, project: Project, status: str) -> ColumnElement[bool]:
    if status == "skipped":
        lease = aliased(Lease)
        return Item.id.in_(select(lease.item_id).where(lease.project_id == project.id, lease.state == "skipped"))
    if status == "flagged":
        return flags.flagged(project.id)
    if status == "stuck":
        return and_(Item.state == "open", ~Item.done, Item.skips >= SKIPS_UNTIL_A_LOOK)
    own, wanted = aliased(Item), STATUS[status].items()
    found = select(own.id).where(own.project_id == project.id, *(getattr(own, name) == value for name, value in wanted))
    if are_few(session, found):
        return Item.id.in_(found)
    return and_(*(Tested(getattr(Item, name)) == value for name, value in wanted))


def _queued(session: Session, project: Project) -> ColumnElement[bool]:
    """Whether an item waits in the order that is served."""
    current = current_round(session, project)
    if current is None:
        return false()
    return Item.id.in_(select(QueueEntry.item_id).where(QueueEntry.round_id == current.id, ~QueueEntry.done))


def _mentions(project: Project, word: str) -> ColumnElement[bool]:
    """Whether a word occurs in the key or the content, whatever the case of A to Z."""
    in_key = Item.key.icontains(word, autoescape=True)
    if project.modality == "table":
        escaped = "".join(f"/{each}" if each in "/%_" else each for each in word.lower())
        return or_(in_key, AnyMemberLike(Item.payload["row"], f"%{escaped}%"))
    shown = Item.payload["text"] if project.modality == "text" else Item.payload[project.modality]["name"]
    return or_(in_key, shown.as_string().icontains(word, autoescape=True))


def _class_ids(session: Session, project: Project, asked: Condition) -> list[int]:
    """The ids of classes by their present or former names, those that were merged into them among them."""
    return [
        number for name in asked.values for number in answered.class_numbers(session, project, name, field=asked.name)
    ]


def _predicted(session: Session, project: Project, asked: Condition) -> ColumnElement[bool]:
    chosen = _class_ids(session, project, asked) if asked.name == "predicted.class" else []
    current = current_round(session, project)
    if current is None:
        return false()
    known = predicted(current.id)
    if asked.name == "predicted.probability":
        holding: ColumnElement[bool] = numbers.COMPARE[asked.operator](known.c.best, asked.number)
    else:
        places = [current.class_ids.index(number) for number in chosen if number in current.class_ids]
        likely: list[Any] = [known.c.probabilities[place].as_float() for place in places]
        multiple = tasks.several(project)
        holding = or_(false(), *(each >= (tasks.LIKELY if multiple else known.c.best) for each in likely))
    return Item.id.in_(select(known.c.item_id).where(holding))
