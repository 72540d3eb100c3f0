"""Exports: a snapshot of one moment, spooled at the database's speed, then streamed from the file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from app.core.errors import Forbidden, Invalid, Unavailable
from app.core.filters import Filter
from app.core.settings import Settings
from app.db import Annotation, Database, Item, Project, Round, User
from app.formats import FORMATS, write_csv
from app.modalities import MODALITIES, files
from app.services import filters, tasks
from app.services.access import Person, project_for
from app.task_types import TASK_TYPES

Conditions = Sequence[ColumnElement[bool]]

FETCHED = 1_000
VIEWS = ("annotations", "items")
COLUMNS = {  # before and behind the item's content
    "annotations": (
        ("id", "item", "key"),
        (
            "label", "annotator", "seconds_spent", "round", "kind", "origin", "version", "counted", "late",
            "probability", "split", "reserved", "metadata", "created_at",
        ),
    ),
    "items": (
        ("key",),
        ("label", "labels", "votes", "agreement", "disputed", "split", "reserved", "state", "priority", "metadata"),
    ),
}  # fmt: skip
SUFFIX = {"jsonl": "jsonl", "csv": "csv", "parquet": "parquet", "json": "json"}


def write(
    db: Database,
    settings: Settings,
    person: Person,
    ref: int | str,
    wanted: Filter,
    *,
    kind: str,
    view: str,
    raw: bool,
    extra: bool,
) -> tuple[Path, str, str]:
    """Write an export to a private file; the path, the media type and the file's name for people.

    `extra` adds answers that are not counted or were given to earlier content. Memory is bounded by the rows of a
    fetch. What tells where an open item will be served (`kind`, membership of the audit set) is for managers.

    Raises:
        Invalid: no such format or view.
        Unavailable: the disk is full.
    """
    if kind not in FORMATS:
        raise Invalid(f"format is one of {', '.join(FORMATS)}", fields={"format": kind[:50]})
    if view not in VIEWS:
        raise Invalid(f"view is one of {', '.join(VIEWS)}", fields={"view": view[:50]})
    folder = settings.data / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{uuid4().hex}.export"
    try:
        with db.read() as session:
            _one_moment(session)
            project = project_for(session, person, ref, "reviewer")
            whole = _is_manager(session, person, ref)
            which = filters.conditions(session, project, wanted)
            if view == "annotations":
                rows = annotation_rows(session, project, extra, which, whole=whole)
            else:
                rows = item_rows(session, project, which, whole=whole)
            with path.open("wb") as file:
                path.chmod(0o600)
                if kind == "csv":
                    write_csv(rows, file, raw=raw, columns=columns(project, view))
                else:
                    FORMATS[kind].write(rows, file)
            name = f"{project.slug}-{view}.{SUFFIX[kind]}"
    except OSError as error:
        path.unlink(missing_ok=True)
        raise Unavailable(f"the server's disk has no room for the export: {error.strerror}") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path, FORMATS[kind].media_type, name


def columns(project: Project, view: str) -> list[str]:
    """The columns of a view in their order, for formats that write them first."""
    start, end = COLUMNS[view]
    return [*start, MODALITIES[project.modality].field, *end]


def annotation_rows(
    session: Session, project: Project, extra: bool, which: Conditions = (), *, whole: bool = True
) -> Iterator[dict[str, Any]]:
    """One row a current answer of the items that fit, in the order they were given, with where it came from."""
    questions = tasks.questions(session, project)
    newer = aliased(Annotation)
    statement = (
        select(Annotation, Item.key, Item.payload, Item.meta, Item.split, Item.reserved, User.name, Round.number)
        .join(Item, Item.id == Annotation.item_id)
        .outerjoin(User, User.id == Annotation.annotator_id)
        .outerjoin(Round, Round.id == Annotation.round_id)
        .where(Annotation.project_id == project.id, ~Annotation.retracted, Item.state != "deleted", *which)
        .where(
            ~select(newer.id)
            .where(newer.answer_id == Annotation.answer_id, newer.version > Annotation.version)
            .exists()
        )
        .order_by(Annotation.id)
        .execution_options(yield_per=FETCHED)
    )
    if not extra:
        statement = statement.where(Annotation.item_revision == Item.revision)
    for answer, key, payload, meta, split, reserved, user, number in session.execute(statement):
        if not (answer.counted or answer.decisive or extra):
            continue
        yield {
            "id": answer.id,
            "item": answer.item_id,
            "key": key,
            **content(payload),
            "label": tasks.show_label(answer.label, questions),
            "annotator": user or answer.annotator_name,
            "seconds_spent": answer.seconds_spent,
            "round": number,
            "kind": answer.kind if whole else None,
            "origin": answer.origin,
            "version": answer.version,
            "counted": answer.counted,
            "late": answer.late,
            "probability": answer.probability,
            "split": "audit" if split == "audit" or reserved else "train",
            "reserved": reserved,
            "metadata": meta,
            "created_at": answer.created_at.isoformat(),
        }


def item_rows(
    session: Session, project: Project, which: Conditions = (), *, whole: bool = True
) -> Iterator[dict[str, Any]]:
    """One row an item: its label by the rules of disagreement, votes and agreement; null labels for open items."""
    questions = tasks.questions(session, project)
    question = tasks.driving(questions)
    last_id = 0
    while True:
        found = (
            session.execute(
                select(Item)
                .where(Item.project_id == project.id, Item.state != "deleted", Item.id > last_id, *which)
                .order_by(Item.id)
                .limit(FETCHED)
            )
            .scalars()
            .all()
        )
        if not found:
            return
        last_id = found[-1].id
        answers = _answers(session, [item.id for item in found])
        for item in found:
            mine = answers.get(item.id, [])
            row = _item_row(item, mine, questions, question)
            if not whole and item.reserved and not item.done:
                row |= {"split": "train", "reserved": False}
            yield row
        session.expunge_all()


def content(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as it can be imported again: a file by its name, or by its address while it is not here."""
    found = files.file_in(payload)
    if found is None:
        return payload
    field, held = found
    return {field: {"name": held.get("name")} if "sha256" in held else held.get("address")}


def _item_row(
    item: Item, answers: list[tuple[Annotation, str | None]], questions: Any, question: Any
) -> dict[str, Any]:
    deciding = [pair for pair in answers if pair[0].decisive][-1:] or answers
    stored = [tasks.in_force(pair[0].label, questions) for pair in deciding]
    label, agreement, disputed = _consensus(stored, question)
    return {
        "key": item.key,
        **content(item.payload),
        "label": None if label is None else tasks.show_label(label, questions),
        "labels": [
            {
                "annotator": name or answer.annotator_name,
                "label": tasks.show_label(answer.label, questions),
                "created_at": answer.created_at.isoformat(),
            }
            for answer, name in answers
        ],
        "votes": len(stored),
        "agreement": agreement,
        "disputed": disputed,
        "split": "audit" if item.split == "audit" or item.reserved else "train",
        "reserved": item.reserved,  # an import keeps it in the audit share instead of the client's own test set
        "state": item.state,
        "priority": item.priority,
        "metadata": item.meta,
    }


def _consensus(stored: list[dict[str, Any]], question: Any) -> tuple[dict[str, Any] | None, float | None, bool]:
    """The label with most votes, the mean pairwise agreement, and whether the vote is a tie."""
    if not stored:
        return None, None, False
    votes: dict[str, int] = {}
    by_text = {}
    for label in stored:
        text = repr(sorted(label.items(), key=str))
        votes[text] = votes.get(text, 0) + 1
        by_text[text] = label
    best = max(votes.values())
    winners = [text for text, count in votes.items() if count == best]
    agreement = None
    if len(stored) > 1:
        kind = TASK_TYPES[question.type]
        pairs = [
            1 - kind.distance(one.get(question.id, {}), other.get(question.id, {}))
            for place, one in enumerate(stored)
            for other in stored[place + 1 :]
        ]
        agreement = round(sum(pairs) / len(pairs), 4)
    return (None, agreement, True) if len(winners) > 1 else (by_text[winners[0]], agreement, False)


def _answers(session: Session, item_ids: list[int]) -> dict[int, list[tuple[Annotation, str | None]]]:
    newer = aliased(Annotation)
    rows = session.execute(
        select(Annotation, User.name)
        .outerjoin(User, User.id == Annotation.annotator_id)
        .join(Item, (Item.id == Annotation.item_id) & (Item.revision == Annotation.item_revision))
        .where(Annotation.item_id.in_(item_ids), ~Annotation.retracted)
        .where(
            ~select(newer.id)
            .where(newer.answer_id == Annotation.answer_id, newer.version > Annotation.version)
            .exists()
        )
        .order_by(Annotation.id)
    )
    found: dict[int, list[tuple[Annotation, str | None]]] = {}
    for answer, name in rows:
        if answer.counted or answer.decisive:
            found.setdefault(answer.item_id, []).append((answer, name))
    return found


def _is_manager(session: Session, person: Person, ref: int | str) -> bool:
    try:
        project_for(session, person, ref, "manager")
    except Forbidden:
        return False
    return True


def _one_moment(session: Session) -> None:
    """Make every select of this session see the same moment."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    else:
        session.connection().exec_driver_sql("BEGIN")
