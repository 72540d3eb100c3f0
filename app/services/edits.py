"""Changing many items at once, and taking that back.

Which items is settled when the change is asked for; a job makes it in short transactions and keeps with each item what
it was before. Taking it back restores exactly that, and leaves alone, and names, what was changed by others meanwhile.
"""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Invalid, NotFound
from app.core.filters import Condition, Filter
from app.core.text import INT64_MAX, check_json
from app.db import Edit, Item, Job, Project, WriteSession
from app.db.session import now
from app.services import decisions, filters, fitting, jobs, search, tasks
from app.services.access import Person, project_and_role, project_for
from app.services.among import of_project
from app.services.jobs import Done, More, Running

MOST = 10_000  # items of one change
CHUNK = 250  # items of a transaction
NAMED = 20  # keys that a result lists
COLUMNS = ("id", "key", "state", "split", "priority", "reserved", "meta")


@dataclass(frozen=True)
class Started:
    """The job that makes a change, how many items it will look at, and what takes it back."""

    job: int
    items: int
    undo_token: str


def count(session: Session, person: Person, ref: int | str, wanted: Filter) -> int:
    """How many items fit a filter, counted to one more than a change may take; for reviewers and managers."""
    project, role = project_and_role(session, person, ref, "reviewer")
    filters.permit(wanted, manager=role == "manager")
    return len(_ids(session, project, wanted))


def start(
    session: WriteSession,
    person: Person,
    ref: int | str,
    wanted: Filter,
    change: Mapping[str, Any],
    existing: str = "refuse",
    keys: Sequence[str] = (),
) -> Started:
    """Ask for a change of all items that fit a filter now, or of the items of some `keys`: of all of them or of none.

    `change` has some of `state` (open or excluded), `split` (pool or audit), `priority`, `metadata` with the columns
    to set (null removes one), and `label`, the manager's word on each of them. `existing` says what becomes of items
    that have answers when a label is given: all is refused, they are kept as they are, or the word wins (override).

    Raises:
        Invalid: nothing to set, an empty filter, no item fits, or more than MOST do.
        InvalidLabel: the label does not fit the task.
        WouldOverride: some items have answers, and nothing was said about them.
        Forbidden, NotFound: the project is not the person's to manage.
        NotFound: a key names no item of the project; says which.
    """
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    check_json(dict(change), what="set")
    if not change or change.get("metadata") == {}:
        raise Invalid("set says nothing: give state, split, priority, metadata or label", fields={"set": "empty"})
    ids = _ids(session, project, _of_keys(keys) if keys else wanted)
    if len(ids) < len(set(keys)):
        raise NotFound(_unknown(session, ids, keys))
    if not ids:
        raise Invalid("no item fits", fields={"filter": "no item"})
    if len(ids) > MOST:
        raise Invalid(f"more than {MOST:,} items fit: narrow the filter", fields={"filter": "too many items"})
    secret = secrets.token_urlsafe(12)
    settled = dict(change)
    if "label" in change:
        settled["label"] = _word(session, project, ids, change["label"], existing)
    override = existing == "override"
    payload = {"items": ids, "set": settled, "secret": secret, "by": person.id, "override": override}
    job = jobs.enqueue(session, "edit", project.id, payload, created_by=person.id)
    assert job is not None
    return Started(job, len(ids), f"{job}-{secret}")


def undo(session: WriteSession, person: Person, ref: int | str, token: str) -> Started:
    """Ask for a change to be taken back; its token is of no further use then.

    Raises:
        NotFound: no such change in this project.
        Conflict: it is still being made or taken back, or it changed nothing, or was taken back before.
    """
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    made = _made(session, project, token)
    if made.state in ("waiting", "running"):
        raise Conflict("the change is still being made: cancel its job, or wait for it")
    asked = select(Job.id).where(
        Job.project_id == project.id, Job.kind == "edit", Job.state.in_(("waiting", "running"))
    )
    if session.execute(asked.where(Job.payload["undo"].as_integer() == made.id)).first() is not None:
        raise Conflict("the change is being taken back already")
    items = session.execute(select(func.count()).where(Edit.job_id == made.id)).scalar_one()
    if not items:
        raise Conflict("there is nothing to take back: it changed nothing, or was taken back before")
    job = jobs.enqueue(session, "edit", project.id, {"undo": made.id, "by": person.id}, created_by=person.id)
    assert job is not None
    return Started(job, items, token)


def run(running: Running) -> Done | More:
    """One transaction of a change, or of taking one back."""
    return _take_back(running) if "undo" in running.payload else _make(running)


def _ids(session: Session, project: Project, wanted: Filter) -> list[int]:
    if not wanted:
        raise Invalid("say which items: a filter or keys", fields={"filter": "empty"})
    fitting = filters.conditions(session, project, wanted)
    found = select(Item.id).where(of_project(project.id, fitting), Item.state != "deleted", *fitting).limit(MOST + 1)
    return list(session.execute(found).scalars())


def _unknown(session: Session, ids: Sequence[int], keys: Sequence[str]) -> str:
    """Which of the keys name none of these items, in a sentence."""
    found = set(session.execute(select(Item.key).where(Item.id.in_(ids))).scalars())
    missing = [json.dumps(key, ensure_ascii=False) for key in dict.fromkeys(keys) if key not in found]
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    named = f"{', '.join(missing[:NAMED])}{more}"
    return f"nothing was changed: there is no item here with the key {named}"


def _of_keys(keys: Sequence[str]) -> Filter:
    """The filter for items of these keys."""
    return Filter((Condition("key", "=", tuple(keys)),))


def _made(session: WriteSession, project: Project, token: str) -> Job:
    number, _, secret = token.partition("-")
    known = number.isascii() and number.isdigit() and len(number) < 19 and int(number) <= INT64_MAX
    mine = select(Job).where(Job.project_id == project.id, Job.kind == "edit", Job.id == (int(number) if known else 0))
    found = session.execute(mine.with_for_update()).scalar_one_or_none()  # two who undo it at once follow one another
    if found is None or not secrets.compare_digest(str(found.payload.get("secret", "")), secret):
        raise NotFound("there is no such change in this project")
    return found


def _make(running: Running) -> Done | More:
    assert running.project_id is not None
    given = running.payload
    cursor = running.cursor or {"place": 0, "changed": 0}
    ids = given["items"][cursor["place"] : cursor["place"] + CHUNK]
    with running.db.write() as session:
        rows = _rows(session, ids)
        edits = [edit for row in rows if (edit := _edit(running.id, row, given["set"])) is not None]
        if edits:
            _write(session, running.project_id, [(each["item_id"], each["after"]) for each in edits])
        if "label" in given["set"]:
            edits = _with_words(session, running, edits, [row.id for row in rows])
        if edits:
            session.execute(insert(Edit), edits)
        cursor = {"place": cursor["place"] + len(ids), "changed": cursor["changed"] + len(edits)}
        running.checkpoint(session, cursor, {"step": "edit", "done": cursor["place"], "total": len(given["items"])})
    if cursor["place"] < len(given["items"]):
        return More()
    return Done({"changed": cursor["changed"], "unchanged": cursor["place"] - cursor["changed"]})


def _take_back(running: Running) -> Done | More:
    assert running.project_id is not None
    made = running.payload["undo"]
    cursor = running.cursor or {"restored": 0, "left": 0, "left_keys": []}
    with running.db.write() as session:
        found = select(Edit).where(Edit.job_id == made).order_by(Edit.item_id).limit(CHUNK)
        edits = {edit.item_id: (edit.before, edit.after) for edit in session.execute(found).scalars()}
        rows = _rows(session, list(edits))
        worded = {item: after["label"] for item, (_, after) in edits.items() if "label" in after}
        unsaid = worded.keys() - (decisions.as_left(session, worded) if worded else set())
        as_left = [row for row in rows if row.id not in unsaid and _same(row, edits[row.id][1])]
        _write(session, running.project_id, [(row.id, edits[row.id][0]) for row in as_left])
        words = {row.id: edits[row.id][0]["label"] for row in as_left if row.id in worded}
        if words:
            project = session.get_one(Project, running.project_id)
            decisions.take_back(session, project, words)
        session.execute(delete(Edit).where(Edit.job_id == made, Edit.item_id.in_(edits)))
        cursor = {
            "restored": cursor["restored"] + len(as_left),
            "left": cursor["left"] + len(edits) - len(as_left),
            "left_keys": [*cursor["left_keys"], *_keys(session, edits.keys() - {row.id for row in as_left})][:NAMED],
        }
        running.checkpoint(session, cursor, {"step": "undo", "done": cursor["restored"] + cursor["left"]})
    return More() if len(edits) == CHUNK else Done(cursor)


def _keys(session: Session, ids: Collection[int]) -> Sequence[str]:
    """The keys of items, deleted ones too, in the order of the items."""
    return session.execute(select(Item.key).where(Item.id.in_(ids)).order_by(Item.id)).scalars().all()


def _word(session: Session, project: Project, ids: Sequence[int], label: Any, existing: str) -> dict[str, Any]:
    """The label in the stored form, where it may be given to these items."""
    asked = tasks.questions(session, project)
    checked = tasks.check_label(label, asked)
    for content in fitting.payloads(session, asked, ids).values():
        tasks.check_item(checked, asked, content)
    answered = decisions.answered_count(session, ids) if existing == "refuse" else 0
    if answered:
        raise decisions.WouldOverride(
            f"{answered:,} of the {len(ids):,} items have answers: send existing keep to leave them as they are, "
            "or override to decide them too",
            answered=answered,
            items=len(ids),
        )
    return checked


def _with_words(
    session: WriteSession, running: Running, edits: Sequence[dict[str, Any]], ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Give the items the manager's word, and note it with what else was changed of them."""
    given = running.payload
    project = session.get_one(Project, running.project_id)
    said = decisions.decide(session, project, given["by"], ids, given["set"]["label"], override=given["override"])
    found = {each["item_id"]: each for each in edits}
    for item, (before, after) in said.items():
        empty: dict[str, Any] = {"job_id": running.id, "item_id": item, "before": {}, "after": {}}
        edit = found.setdefault(item, empty)
        edit["before"] = edit["before"] | {"label": before}
        edit["after"] = edit["after"] | {"label": after}
    return list(found.values())


def _rows(session: WriteSession, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The items, held until the transaction ends; deleted ones are left out."""
    columns = [getattr(Item, name) for name in COLUMNS]
    found = select(*columns).where(Item.id.in_(ids), Item.state != "deleted").order_by(Item.id)
    return session.execute(found.with_for_update(key_share=True)).all()


def _edit(job: int, row: Row[Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a change does to an item; None where it is so already, or cannot be: only what is here is opened."""
    after = {name: value for name, value in _plain(wanted).items() if getattr(row, name) != value}
    if "state" in after and row.state not in ("open", "excluded"):
        del after["state"]
    if after.get("split") == "audit" and row.reserved:
        after["reserved"] = False  # the client's own test set is a stratum of its own
    before = {name: getattr(row, name) for name in after}
    columns = (wanted.get("metadata") or {}).items()
    kept = {name: value for name, value in columns if value is not None and row.meta.get(name) != value}
    gone = [name for name, value in columns if value is None and name in row.meta]
    if kept or gone:
        after |= {"metadata": kept, "without": gone}
        touched = [*kept, *gone]
        before |= {
            "metadata": {name: row.meta[name] for name in touched if name in row.meta},
            "without": [name for name in touched if name not in row.meta],
        }
    return {"job_id": job, "item_id": row.id, "before": before, "after": after} if after else None


def _same(row: Row[Any], values: Mapping[str, Any]) -> bool:
    """Whether an item is as a change has left it."""
    if any(getattr(row, name) != value for name, value in _plain(values).items()):
        return False
    here = all(name in row.meta and row.meta[name] == value for name, value in values.get("metadata", {}).items())
    return here and not any(name in row.meta for name in values.get("without", ()))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ("metadata", "without", "label")}


def _write(session: WriteSession, project_id: int, changes: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    """Give items other values; of the metadata only the columns that are named."""
    moment = now(session)
    worded = [item for item, values in changes if "metadata" in values]
    with search.kept_up(session, project_id, worded):
        found = session.execute(select(Item.id, Item.meta).where(Item.id.in_(worded))).all()
        metas = {row.id: row.meta for row in found}
        for item, values in changes:
            plain = _plain(values)
            if item in metas:
                merged = metas[item] | values["metadata"]
                plain["meta"] = {name: value for name, value in merged.items() if name not in values["without"]}
            session.execute(update(Item).where(Item.id == item).values(updated_at=moment, **plain))
