"""Classes of a running project: added, changed, retired, merged into one another and taken apart again.

Labels hold the ids of classes and are never rewritten. A merge is one row: from its commit on the merged class is read
as the other one wherever labels are read, however many answers there are, and undoing it loses nothing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Invalid, NotFound
from app.core.text import check_text, fold, read_json
from app.db import Annotation, Item, Project, ProjectClass, WriteSession
from app.services import answers, audit, rounds, tasks
from app.services.access import Person, project_for
from app.services.projects import touch
from app.task_types import TASK_TYPES
from app.task_types.classes import class_spec

MOST_CLASSES = 1_000


@dataclass(frozen=True)
class CountedClass:
    """A class with the answers that stand for it, those of the classes merged into it among them."""

    row: ProjectClass
    answers: int


def counted(session: Session, person: Person, ref: int | str) -> list[CountedClass]:
    """A project's classes with their answers, for reviewers and managers; one pass over the answers.

    An answer with several classes counts for each. Uncounted, retracted and replaced answers, and those to earlier
    content, are left out; a merged class has none of its own.
    """
    project = project_for(session, person, ref, "reviewer")
    asked = tasks.questions(session, project)
    label = cast(Annotation.label, Text)  # there are far fewer different labels than answers
    statement: Any = (
        select(label, func.count())
        .join(Item, Item.id == Annotation.item_id)
        .where(Annotation.project_id == project.id, ~Annotation.retracted, Item.state != "deleted")
        .where(or_(Annotation.counted, Annotation.decisive), Annotation.item_revision == Item.revision)
    )
    found: Counter[int] = Counter()
    rows: Any = session.execute(answers.current(statement.group_by(label))).all()
    for said, count in rows:
        for number in _numbers(tasks.in_force(read_json(said.encode()), asked)):
            found[number] += count
    return [CountedClass(row, found[row.number]) for row in tasks.classes_of(session, project.id)]


def add(
    session: WriteSession, person: Person, ref: int | str, given: dict[str, Any], question: str | None = None
) -> ProjectClass:
    """Add a class to a question of a running project, the driving one unless said, and ask for a round.

    Raises:
        Conflict: the name is taken.
        Invalid: there is no such question, or its classes are not named by people.
    """
    project = _held(session, person, ref)
    row = new(session, project, given, question)
    audit.record(session, "class.added", person.id, project_id=project.id, number=row.number, question=row.question)
    rounds.make_due(session, project.id)
    return row


def new(session: WriteSession, project: Project, given: dict[str, Any], question: str | None = None) -> ProjectClass:
    """Add a class to a question, the driving one unless said; its number was never used before."""
    name_of = _named_question(session, project, question)
    last = session.execute(select(func.max(ProjectClass.number)).where(ProjectClass.project_id == project.id)).scalar()
    number = (last or 0) + 1
    if number > MOST_CLASSES:
        raise Invalid(f"a project has at most {MOST_CLASSES:,} classes")
    spec = class_spec(given, number - 1)
    taken = select(ProjectClass.number).where(
        ProjectClass.project_id == project.id,
        ProjectClass.question == name_of,
        ProjectClass.folded_name == spec["folded_name"],
    )
    if session.execute(taken).first():
        raise Conflict(f"there is a class {spec['name']!r} already", fields={"name": "taken"})
    row = ProjectClass(project_id=project.id, number=number, question=name_of, position=number, aliases=[], **spec)
    session.add(row)
    touch(session, project)
    return row


def change(session: WriteSession, person: Person, ref: int | str, number: int, changes: dict[str, Any]) -> ProjectClass:
    """Rename (the old name stays an alias), recolour, describe, retire; retiring and its undoing make a round due."""
    project = _held(session, person, ref)
    row = _class(session, project, number)
    _refuse_level(session, project, row, "changed", set(changes) - {"color", "description"})
    if row.merged_into is not None and changes.get("retired") is False:
        raise Conflict(f"{row.name!r} is merged into another class: undo the merge instead")
    retired, fields = row.retired, sorted(changes)
    if "name" in changes:
        _rename(session, project, row, changes.pop("name"))
    for key, value in _checked_look(session, row, changes).items():
        setattr(row, key, value)
    if row.retired != retired:
        _offer_key(session, row)
        rounds.make_due(session, project.id)
    audit.record(session, "class.changed", person.id, project_id=project.id, number=number, fields=fields)
    touch(session, project)
    return row


def delete(session: WriteSession, person: Person, ref: int | str, number: int) -> None:
    """Delete an unused class. Raises Conflict with the count when labels use it: merge or retire it instead."""
    project = _held(session, person, ref)
    row = _class(session, project, number)
    _refuse_level(session, project, row, "deleted")
    _refuse_condition(project, row)
    sources = select(ProjectClass.name).where(ProjectClass.project_id == project.id, ProjectClass.merged_into == number)
    if (source := session.execute(sources.limit(1)).scalar()) is not None:
        raise Conflict(f"{source!r} is merged into the class {row.name!r}: undo that merge first, or retire it")
    used = sum(
        number in _numbers(label)
        for label in session.execute(select(Annotation.label).where(Annotation.project_id == project.id)).scalars()
    )
    if used:
        raise Conflict(f"{used:,} labels use the class {row.name!r}: merge or retire it instead", labels=used)
    session.delete(row)
    audit.record(session, "class.deleted", person.id, project_id=project.id, number=number)
    touch(session, project)


def merge(session: WriteSession, person: Person, ref: int | str, number: int, into: int) -> ProjectClass:
    """Read a class as another one from now on, and ask for a round; the merged class. Merged twice, it is one merge.

    Its answers keep what was said: exports, curves, votes, filters and rounds see the other class. Answers that come
    late under the merged class count for the other one; its name stays an alias of that. O(1) rows are written.

    Raises:
        NotFound: one of the two classes does not exist.
        Invalid: a class is merged into itself.
        Conflict: it is merged into a third class, or the other one is merged or retired itself.
    """
    project = _held(session, person, ref)
    row, other = _class(session, project, number), _class(session, project, into)
    _refuse_level(session, project, row, "merged")
    if row.question != other.question:
        raise Conflict(
            f"{row.name!r} and {other.name!r} are classes of two questions", fields={"into": "other question"}
        )
    if row.merged_into == into:
        return row
    if number == into:
        raise Invalid("a class is not merged into itself", fields={"into": "another class"})
    if row.merged_into is not None:
        raise Conflict(f"{row.name!r} is merged into another class already: undo that first")
    if other.merged_into is not None or other.retired:
        raise Conflict(f"{other.name!r} is {'merged itself' if other.merged_into else 'retired'}: choose another class")
    row.merged_into, row.retired = into, True
    audit.record(session, "class.merged", person.id, project_id=project.id, number=number, into=into)
    rounds.make_due(session, project.id)
    touch(session, project)
    return row


def unmerge(session: WriteSession, person: Person, ref: int | str, number: int) -> ProjectClass:
    """Take a merged class out again: every answer that was given under it is its own once more.

    Raises:
        Conflict: the class is not merged.
    """
    project = _held(session, person, ref)
    row = _class(session, project, number)
    if row.merged_into is None:
        raise Conflict(f"the class {row.name!r} is not merged")
    row.merged_into, row.retired = None, False
    _offer_key(session, row)
    audit.record(session, "class.unmerged", person.id, project_id=project.id, number=number)
    rounds.make_due(session, project.id)
    touch(session, project)
    return row


def _held(session: WriteSession, person: Person, ref: int | str) -> Project:
    """The project, held so that two changes of its classes at once follow one another."""
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    session.refresh(project, with_for_update=True)
    return project


def _named_question(session: Session, project: Project, question: str | None) -> str:
    """The id of a question whose classes people name. Raises Invalid."""
    asked = tasks.questions(session, project)
    wanted = question or tasks.driving(asked).id
    found = next((each for each in asked if each.id == wanted and not each.removed), None)
    if found is None:
        raise Invalid(f"there is no question {wanted[:63]!r}", fields={"question": "unknown"})
    if not TASK_TYPES[found.type].named_classes:
        what = "the levels of a rating are its numbers" if found.type == "rating" else f"a {found.type} has no classes"
        raise Invalid(f"{what}: no class is added", fields={"question": found.type})
    return found.id


def _refuse_level(
    session: Session, project: Project, row: ProjectClass, what: str, touched: Iterable[str] = ("",)
) -> None:
    """Raise Conflict for a level of a rating: it is its number, and only its colour and description are free."""
    question = next((each for each in tasks.questions(session, project) if each.id == row.question), None)
    if touched and question is not None and not TASK_TYPES[question.type].named_classes:
        raise Conflict(f"{row.name} is a level of the rating {row.question!r}: a level is not {what}")


def _refuse_condition(project: Project, row: ProjectClass) -> None:
    """Raise Conflict where another question is asked only where this class is chosen."""
    for each in project.task["questions"]:
        if row.number in each.get("show_if", {}).get(row.question, ()):
            raise Conflict(
                f"{each['id']!r} is asked only where {row.name!r} is chosen: change that first, or retire it"
            )


def _rename(session: WriteSession, project: Project, row: ProjectClass, name: str | None) -> None:
    if not (name or "").strip():
        raise Invalid("a class name is empty", fields={"name": "must not be empty"})
    checked = check_text((name or "").strip(), what="name", limit=200)
    if fold(checked) != row.folded_name:
        other = session.execute(
            select(ProjectClass.number).where(
                ProjectClass.project_id == project.id,
                ProjectClass.question == row.question,
                ProjectClass.folded_name == fold(checked),
                ProjectClass.number != row.number,
            )
        ).first()
        if other:
            raise Conflict(f"there is a class {checked!r} already", fields={"name": "taken"})
        row.aliases = [*row.aliases, row.folded_name]
        row.folded_name = fold(checked)
    row.name = checked


def _checked_look(session: Session, row: ProjectClass, changes: dict[str, Any]) -> dict[str, Any]:
    """Colour, key, description and retirement as they may be stored; a key that is null is taken away."""
    if empty := sorted(key for key, value in changes.items() if value is None and key != "hotkey"):
        raise Invalid(f"{empty[0]} is not null", fields=dict.fromkeys(empty, "not null"))
    look = {key: value for key, value in changes.items() if key in ("color", "hotkey", "description")}
    spec = class_spec({"name": row.name, **look}, row.number - 1)
    key = changes.get("hotkey") or None
    if key is not None and _key_taken(session, row, key):
        raise Conflict(f"another class has the key {key!r}", fields={"hotkey": "taken"})
    checked = {name: spec[name] if name in look else value for name, value in changes.items()}
    return {**checked, "hotkey": key} if "hotkey" in changes else checked


def _key_taken(session: Session, row: ProjectClass, key: str) -> bool:
    same_key = select(ProjectClass.number).where(
        ProjectClass.project_id == row.project_id,
        ProjectClass.question == row.question,
        ProjectClass.hotkey == key,
        ProjectClass.number != row.number,
        ~ProjectClass.retired,
    )
    return session.execute(same_key).first() is not None


def _offer_key(session: Session, row: ProjectClass) -> None:
    """A class that is offered again gives up its key where another one has it by now."""
    if not row.retired and row.hotkey and _key_taken(session, row, row.hotkey):
        row.hotkey = None


def _class(session: Session, project: Project, number: int) -> ProjectClass:
    row = session.get(ProjectClass, (project.id, number))
    if row is None:
        raise NotFound("there is no such class")
    return row


def _numbers(label: dict[str, Any]) -> Iterable[int]:
    """The ids of the classes that a stored label names."""
    found: set[int] = set()
    for value in label.values():
        if isinstance(value, dict):
            found |= {value["class_id"]} if "class_id" in value else set(value.get("class_ids", []))
    return found
