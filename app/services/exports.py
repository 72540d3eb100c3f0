"""Exports: a snapshot of one moment, spooled at the database's speed, then streamed from the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.core.errors import Forbidden, Invalid, Unavailable
from app.core.filters import Filter
from app.core.settings import Settings
from app.db import Annotation, Database, Item, Project, Round, User, is_newest
from app.formats import FORMATS, write_csv
from app.modalities import MODALITIES, files
from app.services import audit, consensus, filters, tasks
from app.services.access import Person, project_for
from app.services.consensus import FETCHED, Conditions
from app.services.rows import LABEL_PART
from app.task_types import TASK_TYPES, Question

VIEWS = ("annotations", "items")
COLUMNS = {  # before and behind the item's content
    "annotations": (
        ("id", "item", "key"),
        (
            "label", "annotator", "seconds_spent", "round", "kind", "origin", "version", "counted", "late",
            "probability", "guidelines_version", "split", "reserved", "metadata", "created_at",
        ),
    ),
    "items": (
        ("key",),
        ("label", "labels", "votes", "agreement", "disputed", "split", "reserved", "state", "priority", "metadata"),
    ),
}  # fmt: skip
TABLES = ("csv", "parquet")  # formats without nesting
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
    check_format(kind)
    if view not in VIEWS:
        raise Invalid(f"view is one of {', '.join(VIEWS)}", fields={"view": view[:50]})
    with spooled(settings) as (path, file), db.read() as session:
        consensus.one_moment(session)
        project = project_for(session, person, ref, "reviewer")
        whole = _is_manager(session, person, ref)
        filters.permit(wanted, manager=whole)
        which = filters.conditions(session, project, wanted)
        if view == "annotations":
            rows = annotation_rows(session, project, extra, which, whole=whole)
        else:
            rows = item_rows(session, project, which, whole=whole)
        asked = tasks.questions(session, project)
        write_rows(flattened(rows, asked, kind), file, kind, raw=raw, names=columns(project, view, asked))
        name, project_id = f"{project.slug}-{view}.{SUFFIX[kind]}", project.id
    with db.write() as writing:
        audit.record(writing, "export.made", person.id, project_id=project_id, view=view, format=kind)
    return path, FORMATS[kind].media_type, name


@contextmanager
def spooled(settings: Settings) -> Iterator[tuple[Path, BinaryIO]]:
    """A private file to write an export to; gone again if that fails.

    Raises:
        Unavailable: the disk is full.
    """
    folder = settings.data / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{uuid4().hex}.export"
    try:
        with path.open("wb") as file:
            path.chmod(0o600)
            yield path, file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise Unavailable(f"the server's disk has no room for the export: {error.strerror}") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_rows(rows: Iterator[dict[str, Any]], file: BinaryIO, kind: str, *, raw: bool, names: Sequence[str]) -> None:
    """Write rows in a format; `names` are the columns of those that write them first."""
    if kind == "csv":
        write_csv(rows, file, raw=raw, columns=names)
    else:
        FORMATS[kind].write(rows, file)


def check_format(kind: str) -> None:
    """Raise Invalid for a format that there is none of."""
    if kind not in FORMATS:
        raise Invalid(f"format is one of {', '.join(FORMATS)}", fields={"format": kind[:50]})


def columns(project: Project, view: str, asked: Sequence[Question]) -> list[str]:
    """The columns of a view in their order, for formats that write them first; of a form one a question."""
    start, end = COLUMNS[view]
    content = [MODALITIES[project.modality].field, *(["candidates"] if tasks.compares(asked) else [])]
    return [*start, *content, *label_columns(asked), *(name for name in end if name != "label")]


def label_columns(asked: Sequence[Question]) -> list[str]:
    """The columns of labels in a table: of a form one a question."""
    return [f"{LABEL_PART}{each.id}" for each in asked] if tasks.is_form(asked) else ["label"]


def flattened(rows: Iterator[dict[str, Any]], asked: Sequence[Question], kind: str) -> Iterator[dict[str, Any]]:
    """Rows as a table has them: of a form each question in a column of its own; formats that nest keep the label."""
    if kind not in TABLES or not tasks.is_form(asked):
        return rows
    return (_flat(row, asked) for row in rows)


def _flat(row: dict[str, Any], asked: Sequence[Question]) -> dict[str, Any]:
    fields = (row["label"] or {}).get("fields", {})
    flat = {name: value for name, value in row.items() if name != "label"}
    return flat | {f"{LABEL_PART}{each.id}": _cell(fields.get(each.id), each) for each in asked}


def _cell(shown: dict[str, Any] | None, question: Question) -> Any:
    """One answer as a cell; one that says why there is none stays an object."""
    if shown is None or "unanswerable" in shown:
        return shown
    return TASK_TYPES[question.type].to_cell(shown)


def annotation_rows(
    session: Session, project: Project, extra: bool, which: Conditions = (), *, whole: bool = True
) -> Iterator[dict[str, Any]]:
    """One row a current answer of the items that fit, in the order they were given, with where it came from."""
    questions = tasks.questions(session, project)
    statement = (
        select(Annotation, Item.key, Item.payload, Item.meta, Item.split, Item.reserved, User.name, Round.number)
        .join(Item, Item.id == Annotation.item_id)
        .outerjoin(User, User.id == Annotation.annotator_id)
        .outerjoin(Round, Round.id == Annotation.round_id)
        .where(Annotation.project_id == project.id, ~Annotation.retracted, Item.state != "deleted", *which)
        .where(is_newest())
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
            "guidelines_version": answer.guidelines_version,
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
    for item, answers in consensus.walk(session, project, which):
        row = _item_row(item, answers, questions)
        if not whole and item.reserved and not item.done:
            row |= {"split": "train", "reserved": False}
        yield row


def content(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as it can be imported again: a file by its name, or by its address where it is elsewhere."""
    found = files.file_in(payload)
    if found is None:
        return payload
    field, held = found
    stored = "sha256" in held and "bucket" not in held
    return {field: {"name": held.get("name")} if stored else held.get("address")}


def _item_row(item: Row[Any], answers: Sequence[Row[Any]], questions: Sequence[Question]) -> dict[str, Any]:
    agreed = consensus.shown(answers, questions)
    return {
        "key": item.key,
        **content(item.payload),
        "label": agreed.pop("label"),
        "labels": [
            {
                "annotator": answer.user_name or answer.annotator_name,
                "label": tasks.show_label(answer.label, questions),
                "created_at": answer.created_at.isoformat(),
            }
            for answer in answers
        ],
        **agreed,
        "split": "audit" if item.split == "audit" or item.reserved else "train",
        "reserved": item.reserved,  # an import keeps it in the audit share instead of the client's own test set
        "state": item.state,
        "priority": item.priority,
        "metadata": item.meta,
    }


def _is_manager(session: Session, person: Person, ref: int | str) -> bool:
    try:
        project_for(session, person, ref, "manager")
    except Forbidden:
        return False
    return True
