"""Answers that were given elsewhere: stored in bulk without a lease, by people, by an earlier labelling, by a program.

One source has one answer an item: the same row again changes nothing, another label is the answer's next version. A
person's answer takes a free slot, or that person's own lease, as it would have on the page; without one it is kept
uncounted. An imported answer always counts. A program's answer counts while a slot is free, and never on an item of
the audit share or of the client's own test set: those are for judging, and people judge.

An answer of a person is an audit answer where chance chose the item: it is of the audit share, and a lease or a
selection gave it out in the audit order. An item that the sender held by a selection is let go by its first answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from app.core.errors import AppError, Invalid
from app.core.settings import Settings
from app.core.text import check_text, fold
from app.db import Annotation, Database, Lease, Member, Project, Selected, User, WriteSession, is_newest
from app.db.session import now
from app.formats import Format, ReadRow
from app.services import closing, fitting, leases, rounds, storing, tasks
from app.services.access import Person, project_for
from app.services.annotations import MAX_SECONDS
from app.services.applying import BATCH_ROWS, Report
from app.services.rows import KEY_BYTES, gathered, moment_of, refused, stored_label, unpacked
from app.services.storing import NO_ITEM, Outcome
from app.task_types.base import Question

ORIGINS = ("human", "import", "program")
FIELDS = {"key", "label", "annotator", "origin", "created_at", "seconds_spent"}
NAME_LIMIT = 200


@dataclass(frozen=True)
class Source:
    """Who gave an answer: a person with an account here (`user`), or whoever a file or program names."""

    origin: str
    user: int | None
    name: str | None


@dataclass(frozen=True)
class Answer:
    """One row that can be stored."""

    line: int
    key: str
    source: Source
    label: dict[str, Any]
    created_at: datetime | None
    seconds_spent: float


@dataclass(frozen=True)
class Place:
    """The lease that an answer fills, if any, whether it counts, and how its item was chosen."""

    lease: int | None
    counted: bool
    kind: str = "import"
    round: int | None = None
    blind: bool = False


@dataclass(frozen=True)
class Handed:
    """What the sender was given of a batch's items by selections: leases by item, and audit items with their round."""

    held: Mapping[int, Row[Any]]
    drawn: Mapping[int, int | None]

    def chosen(self, item: Row[Any]) -> tuple[str, int | None]:
        """How an item was chosen for the people who answered it elsewhere, and the round whose order did it."""
        lease = self.held.get(item.id)
        if lease is not None:
            return lease.kind, lease.round_id
        if item.reserved and item.id in self.drawn:
            return "audit", self.drawn[item.id]
        return "import", None


@dataclass(frozen=True)
class AnswerReader:
    """What is needed to read the rows: the questions, the project's people by folded name, and who sends them."""

    asked: Sequence[Question]
    people: Mapping[str, int]
    sender: int

    def read(self, line: int, given: Mapping[str, Any]) -> Answer:
        """Check one row. Raises a refusal whose sentence says what is wrong with it."""
        fields = gathered(unpacked(dict(given)), self.asked)
        if unknown := sorted(fields.keys() - FIELDS):
            raise Invalid(f"unknown field {unknown[0][:80]!r}; there are {', '.join(sorted(FIELDS))}")
        if fields.get("label") in (None, ""):
            raise Invalid("label is missing")
        return Answer(
            line=line,
            key=_key(fields.get("key")),
            source=self._source(fields.get("origin"), fields.get("annotator")),
            label=stored_label(fields["label"], self.asked),
            created_at=moment_of(fields.get("created_at")),
            seconds_spent=_seconds(fields.get("seconds_spent")),
        )

    def _source(self, origin: Any, annotator: Any) -> Source:
        if origin not in ORIGINS:
            raise Invalid(f"origin is one of {', '.join(ORIGINS)}")
        if annotator in (None, ""):
            return Source("human", self.sender, None) if origin == "human" else Source(origin, None, None)
        if not isinstance(annotator, str):
            raise Invalid("annotator is text")
        name = check_text(annotator, what="annotator", limit=NAME_LIMIT)
        if origin != "human":
            return Source(origin, None, name)
        user = self.people.get(fold(name))
        if user is None:
            raise Invalid(f"{name[:80]!r} is no member of this project: add the person, or send origin import")
        return Source("human", user, None)


def store_file(
    db: Database, settings: Settings, person: Person, project_ref: int | str, path: Path, kind: Format
) -> Report:
    """Store the answers of a spooled file, 500 rows a transaction; bad rows are named and the others are stored.

    A file that is broken as a whole stores nothing. Memory does not grow with the file.

    Raises:
        InvalidFile: the file is broken as a whole.
        Forbidden, NotFound: the project is not the person's to fill.
    """
    person.need("import")
    with db.write() as session:
        project = project_for(session, person, project_ref, "manager")
        project_id, moment = project.id, now(session)
        reader = AnswerReader(tasks.questions(session, project), _people(session, project_id), person.id)
    limit = settings.import_line_bytes
    if kind.name != "jsonl":
        with path.open("rb") as file:
            for _ in kind.read(file, max_line_bytes=limit):
                pass
    report = Report()
    with path.open("rb") as file:
        batch: list[Answer] = []
        for row in kind.read(file, max_line_bytes=limit):
            if (answer := _one(reader, row, report)) is not None:
                batch.append(answer)
            if len(batch) >= BATCH_ROWS:
                _flush(db, project_id, batch, person.id, moment, report)
                batch = []
        _flush(db, project_id, batch, person.id, moment, report)
    report.rejected.sort(key=lambda each: each["line"])
    return report


def store(session: WriteSession, project: Project, batch: Sequence[Answer], sender: int, moment: datetime) -> Outcome:
    """Store answers by key and source, in the caller's transaction; O(rows) statements' work."""
    outcome = Outcome()
    known = storing.known_items(session, project.id, [each.key for each in batch])
    before = _before(session, [row.id for row in known.values()])
    handed = _handed(session, sender, [row.id for row in known.values()])
    asked = tasks.questions(session, project)
    payloads = fitting.payloads(session, asked, [row.id for row in known.values()])
    versions: list[dict[str, Any]] = []

    def same(label: dict[str, Any], answer: Answer) -> bool:
        return tasks.in_force(label, asked) == tasks.in_force(answer.label, asked)

    for answer in batch:
        item = known.get(answer.key)
        if item is None:
            outcome.refused.append((answer.line, answer.key, NO_ITEM))
            continue
        if (misfit := fitting.misfit(answer.label, asked, payloads.get(item.id))) is not None:
            outcome.refused.append((answer.line, answer.key, misfit))
            continue
        last = before[item.id].get(answer.source)
        if last and last["item_revision"] == item.revision and not last["retracted"] and same(last["label"], answer):
            outcome.unchanged += 1
            continue
        version = _version(session, project, item, answer, before[item.id], handed, moment)
        before[item.id][answer.source] = version
        versions.append(version)
        outcome.created += last is None
        outcome.updated += last is not None
    if versions:
        answered = sorted({each["item_id"] for each in versions})
        _let_go(session, sender, answered)
        closing.hold(session, answered)
        session.execute(insert(Annotation), versions)
        closing.refresh(session, project, answered)
        rounds.request_if_due(session, project.id, project.state, project.round_size, moment)
    return outcome


def _one(reader: AnswerReader, row: ReadRow, report: Report) -> Answer | None:
    if row.fields is None:
        report.reject(row.line, None, row.error or "broken")
        return None
    try:
        return reader.read(row.line, row.fields)
    except AppError as error:
        report.reject(row.line, row.fields.get("key"), refused(error))
        return None


def _flush(db: Database, project_id: int, batch: list[Answer], sender: int, moment: datetime, report: Report) -> None:
    if not batch:
        return
    with db.write() as session:
        outcome = store(session, session.get_one(Project, project_id), batch, sender, moment)
    report.created += outcome.created
    report.updated += outcome.updated
    report.unchanged += outcome.unchanged
    for line, key, error in outcome.refused:
        report.reject(line, key, error)


def _before(session: WriteSession, item_ids: list[int]) -> dict[int, dict[Source, Mapping[str, Any]]]:
    """The newest version of each answer to some items, by source."""
    columns = [column for column in Annotation.__table__.c if column.name not in ("id", "request_id")]
    rows = session.execute(
        select(*columns).where(
            Annotation.item_id.in_(item_ids),
            is_newest(),
        )
    ).mappings()
    found: dict[int, dict[Source, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        user = row["annotator_id"] if row["origin"] == "human" else None
        found[row["item_id"]][Source(row["origin"], user, row["annotator_name"] if user is None else None)] = dict(row)
    return found


def _version(
    session: WriteSession,
    project: Project,
    item: Row[Any],
    answer: Answer,
    others: Mapping[Source, Mapping[str, Any]],
    handed: Handed,
    moment: datetime,
) -> dict[str, Any]:
    """The row of a new answer, or of the next version of the same source's one."""
    last = others.get(answer.source)
    given = {
        "item_revision": item.revision,
        "label": answer.label,
        "created_at": answer.created_at or moment,
        "retracted": False,
        "seconds_spent": answer.seconds_spent,
    }
    if last is not None and last["item_revision"] == item.revision and not last["retracted"]:
        return {**last, **given, "version": last["version"] + 1}
    place = _slot(session, project, item, answer, others, handed, moment)
    return {
        "project_id": project.id,
        "answer_id": last["answer_id"] if last is not None else uuid4(),
        "version": last["version"] + 1 if last is not None else 1,
        "item_id": item.id,
        "task_version": project.task_version,
        "guidelines_version": project.guidelines_version,
        "annotator_id": answer.source.user,
        "annotator_name": answer.source.name,
        "lease_id": place.lease,
        "origin": answer.source.origin,
        "kind": place.kind,
        "round_id": place.round,
        "blind": place.blind,
        "counted": place.counted,
        **given,
    }


def _slot(
    session: WriteSession,
    project: Project,
    item: Row[Any],
    answer: Answer,
    others: Mapping[Source, Mapping[str, Any]],
    handed: Handed,
    moment: datetime,
) -> Place:
    if answer.source.origin == "import":
        return Place(None, True)
    if answer.source.origin == "program":
        standing = (each for source, each in others.items() if source != answer.source)
        taken = sum(
            each["counted"] and not each["retracted"] and each["item_revision"] == item.revision for each in standing
        )
        return Place(None, taken < project.overlap and not item.reserved and item.split == "pool")
    assert answer.source.user is not None
    return _own_slot(session, project, item, answer.source.user, handed, moment)


def _own_slot(
    session: WriteSession, project: Project, item: Row[Any], user: int, handed: Handed, moment: datetime
) -> Place:
    """A person's lease on the item, answered now, or an answered one on a free slot; not counted where none is free."""
    concerning = text("leases.state IN ('live', 'answered', 'skipped')")
    mine = session.execute(
        select(Lease.id, Lease.state, Lease.kind, Lease.round_id, Lease.blind).where(
            Lease.item_id == item.id, Lease.unit == 0, Lease.annotator_id == user, concerning
        )
    ).first()
    if mine is not None:
        counted = mine.state == "answered" or leases.settle(session, mine.id, mine.state)
        return Place(mine.id, counted, mine.kind, mine.round_id, mine.blind)
    kind, round_id = handed.chosen(item)
    held = handed.held.get(item.id)
    if held is not None and held.annotator_id != user:
        _let_go(session, held.annotator_id, [item.id])  # the place that the sender kept free for whoever answers
    slot = leases.free_slots(session, [item.id], project.overlap).get(item.id)
    if slot is None:
        return Place(None, False, kind, round_id)
    row = {
        "project_id": project.id,
        "item_id": item.id,
        "item_revision": item.revision,
        "slot": slot,
        "annotator_id": user,
        "state": "answered",
        "kind": kind,
        "round_id": round_id,
        "task_version": project.task_version,
        "guidelines_version": project.guidelines_version,
        "served_at": moment,
        "expires_at": moment,
    }
    try:
        with session.begin_nested():
            return Place(leases.give(session, [row])[0], True, kind, round_id)
    except IntegrityError:
        return Place(None, False, kind, round_id)


def _handed(session: WriteSession, sender: int, item_ids: list[int]) -> Handed:
    """What selections gave out of some items: to the sender by leases, or without any by the audit order."""
    held: Iterable[Row[Any]] = session.execute(
        select(Lease.item_id, Lease.annotator_id, Lease.kind, Lease.round_id)
        .where(Lease.item_id.in_(item_ids), Lease.annotator_id == sender, Lease.hold_hours.is_not(None))
        .order_by(Lease.id)
    )
    drawn = session.execute(select(Selected.item_id, Selected.round_id).where(Selected.item_id.in_(item_ids)))
    return Handed({row.item_id: row for row in held}, {row.item_id: row.round_id for row in drawn})


def _let_go(session: WriteSession, sender: int, item_ids: Sequence[int]) -> None:
    """End what the sender holds of some items by a selection."""
    mine = update(Lease).where(Lease.item_id.in_(item_ids), Lease.annotator_id == sender)
    session.execute(mine.where(text("state = 'live'"), Lease.hold_hours.is_not(None)).values(state="released"))


def _people(session: WriteSession, project_id: int) -> dict[str, int]:
    rows = session.execute(
        select(User.folded_name, User.id)
        .join(Member, Member.user_id == User.id)
        .where(Member.project_id == project_id, User.active)
    ).all()
    return {row.folded_name: row.id for row in rows}


def _key(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or value == "":
        raise Invalid("key is missing" if value in (None, "") else "key is text")
    if len(check_text(value, what="key").encode()) > KEY_BYTES:
        raise Invalid(f"key has more than {KEY_BYTES} bytes")
    return value


def _seconds(value: Any) -> float:
    if value in (None, ""):
        return 0.0
    if isinstance(value, str):  # of a sheet, whose cells are all text
        with suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise Invalid(f"seconds_spent is 0 to {MAX_SECONDS:,}")
    return float(value)
