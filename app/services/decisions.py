"""A manager's word on items: answers of the manager's own that win over all others, given to many items at once.

It is a version of an answer like any other: nothing that was answered is lost, and taking it back is one more version.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session, aliased

from app.core.errors import Conflict
from app.db import Annotation, Item, Lease, Project, QueueEntry, WriteSession, is_newest
from app.db.session import now
from app.services import answers, closing, rounds, tasks
from app.services.access import Person
from app.services.answered import one_of

KIND = "review"
VERSION = [column for column in Annotation.__table__.c if column.name not in ("id", "request_id")]
SAYS = ("label", "decisive", "retracted", "item_revision", "annotator_id")  # two versions alike in these say the same

Change = tuple[dict[str, Any], dict[str, Any]]  # which version an item's answer was at (none: no answer), and is at now


class WouldOverride(Conflict):
    """Some of these items have answers already."""


def answered_count(session: Session, item_ids: Sequence[int]) -> int:
    """How many of some items have an answer that stands."""
    answer, own = aliased(Annotation), aliased(Item)
    standing = (
        select(func.count(func.distinct(answer.item_id)))
        .join(own, (own.id == answer.item_id) & (own.revision == answer.item_revision))
        .where(one_of(session, answer.item_id, item_ids), ~answer.retracted, answer.counted | answer.decisive)
        .where(is_newest(answer))
    )
    return int(session.execute(standing).scalar_one())


def decide(
    session: WriteSession, project: Project, person_id: int, item_ids: Sequence[int], label: Any, *, override: bool
) -> dict[int, Change]:
    """Say what items are; by id what the manager's answer was and is. `label` is in the stored form.

    An item that has it so by the manager's word already is left out, and without `override` every item that somebody
    has answered.
    """
    moment = now(session)
    asked = tasks.questions(session, project)
    closing.hold(session, item_ids)
    items = session.execute(
        select(Item.id, Item.revision, Item.done).where(Item.id.in_(item_ids), Item.state != "deleted")
    ).all()
    standing = _standing(session, [item.id for item in items])
    rows, changes = [], {}
    for item in items:
        before = standing.get(item.id, [])
        here = [each for each in before if _stands(each, item.revision)]
        own = next((each for each in reversed(before) if each["annotator_id"] == person_id), None)
        if here and not override:
            continue
        if own in here and own["decisive"] and tasks.in_force(own["label"], asked) == tasks.in_force(label, asked):
            continue
        row = _row(project, person_id, item, own, label, moment)
        rows.append(row)
        changes[item.id] = ({"answer": str(row["answer_id"])} if own is None else _named(own), _named(row))
    if rows:
        session.execute(insert(Annotation), rows)
        _close(session, list(changes), moment)
        rounds.request_if_due(session, project.id, project.state, project.round_size, moment)
    return changes


def as_left(session: Session, changes: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """The items whose answer says what a change has left, also where it said something else in between."""
    versions = _versions(session, changes)
    return {item for item, each in changes.items() if _says_still(versions.get(each["answer"], {}), each["version"])}


def take_back(session: WriteSession, project: Project, before: Mapping[int, Mapping[str, Any]]) -> None:
    """Give the answers of items back what they were and whose they were, each as one more version.

    An answer to earlier content is one to that again, and asks about the item's present content as if nothing was said.
    """
    moment = now(session)
    versions = _versions(session, before)
    rows = []
    for was in before.values():
        if found := versions.get(was["answer"]):
            last = found[max(found)]
            restored = found.get(was.get("version", 0), last | {"retracted": True})  # where there was none
            rows.append({**restored, "version": last["version"] + 1, "created_at": moment})
    if not rows:
        return
    answered = _answered_since(session, rows)
    rows = [{**row, "lease_id": None} if row["lease_id"] in answered else row for row in rows]
    session.execute(insert(Annotation), rows)
    closing.refresh(session, project, list(before))
    _touch(session, list(before), moment)
    rounds.request_if_due(session, project.id, project.state, project.round_size, moment)


def retract(session: WriteSession, project: Project, person: Person, current: Annotation) -> int:
    """Take an answer back as one more version; its item is asked about again where a slot is free now. The new id."""
    moment = now(session)
    new_id = answers.append_version(session, current, person, moment, retracted=True)
    if current.lease_id is not None:
        freed = update(Lease).where(Lease.id == current.lease_id, text("leases.state = 'answered'"))
        session.execute(freed.values(state="released"))
    closing.refresh(session, project, [current.item_id])
    _touch(session, [current.item_id], moment)
    rounds.request_if_due(session, project.id, project.state, project.round_size, moment)
    return new_id


def _standing(session: Session, item_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The newest version of each answer to some items, oldest first."""
    found: dict[int, list[dict[str, Any]]] = {item: [] for item in item_ids}
    rows = session.execute(
        select(*VERSION).where(Annotation.item_id.in_(item_ids), is_newest(Annotation)).order_by(Annotation.id)
    ).mappings()
    for row in rows:
        found[row["item_id"]].append(dict(row))
    return found


def _stands(version: Mapping[str, Any], revision: int) -> bool:
    counts = version["counted"] or version["decisive"]
    return counts and not version["retracted"] and version["item_revision"] == revision


def _row(
    project: Project, person_id: int, item: Any, own: Mapping[str, Any] | None, label: Any, moment: datetime
) -> dict[str, Any]:
    given = {"label": label, "decisive": True, "retracted": False, "created_at": moment, "annotator_id": person_id}
    if own is not None:
        if own["retracted"] or own["item_revision"] != item.revision:  # nobody was asked this blind
            given |= {"kind": KIND, "lease_id": None, "round_id": None, "blind": False, "seconds_spent": 0.0}
        return {**own, **given, "item_revision": item.revision, "version": own["version"] + 1}
    fresh = {column.name: None for column in VERSION}
    return fresh | {
        "project_id": project.id,
        "answer_id": uuid4(),
        "version": 1,
        "item_id": item.id,
        "item_revision": item.revision,
        "unit": 0,
        "task_version": project.task_version,
        "guidelines_version": project.guidelines_version,
        "origin": "human",
        "kind": KIND,
        "counted": True,
        "late": False,
        "blind": False,
        "seconds_spent": 0.0,
        **given,
    }


def _named(version: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an answer, as JSON: which one it is, and at which version; what that says stays with the answers.

    So what a change stores says nothing of anybody. Changes of earlier releases have the label as well.
    """
    return {"answer": str(version["answer_id"]), "version": version["version"]}


def _versions(session: Session, kept: Mapping[int, Mapping[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """Every version of some answers by its number, by the answer's id."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    ids = [UUID(each["answer"]) for each in kept.values()]
    for row in session.execute(select(*VERSION).where(Annotation.answer_id.in_(ids))).mappings():
        found.setdefault(str(row["answer_id"]), {})[row["version"]] = dict(row)
    return found


def _says_still(versions: Mapping[int, Mapping[str, Any]], left: int) -> bool:
    if left not in versions:
        return False
    last = versions[max(versions)]
    return all(last[name] == versions[left][name] for name in SAYS)


def _answered_since(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[int | None]:
    """The leases of some answers that were answered once more meanwhile: a lease has one answer that stands."""
    again = select(Annotation.lease_id).where(
        Annotation.lease_id.in_({row["lease_id"] for row in rows if not row["retracted"]} - {None}),
        Annotation.answer_id.not_in([row["answer_id"] for row in rows]),
        ~Annotation.retracted,
        is_newest(Annotation),
    )
    return set(session.execute(again).scalars())


def _close(session: WriteSession, item_ids: Sequence[int], moment: datetime) -> None:
    session.execute(update(Item).where(Item.id.in_(item_ids)).values(done=True, updated_at=moment))
    session.execute(update(QueueEntry).where(QueueEntry.item_id.in_(item_ids)).values(done=True))


def _touch(session: WriteSession, item_ids: Sequence[int], moment: datetime) -> None:
    session.execute(update(Item).where(Item.id.in_(item_ids)).values(updated_at=moment))
