"""What a filter asks about answers: their class, who gave them, when and why, what is disputed.

Answers are looked up in their own table. Few items are read by their ids, many are tested along the order asked for.
"""

from collections.abc import Sequence
from datetime import datetime, time
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Text, and_, any_, func, literal_column, or_, select
from sqlalchemy import cast as as_type
from sqlalchemy.orm import Session, aliased

from app.core.errors import Invalid
from app.core.filters import Condition
from app.core.text import fold, write_json
from app.db import Annotation, Item, Member, Project, User, is_newest
from app.db.functions import Holds
from app.services import consensus, goal, tasks
from app.services.among import among, are_few

LAST = aliased(Annotation)
GIVEN = ("annotator", "kind", "answered_after", "answered_before")  # these must hold of one and the same answer


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
    label = label[tasks.driving_spec(project)["id"]]
    if tasks.several(project):
        return or_(*(Holds(label["class_ids"], number) for number in numbers))
    return cast("ColumnElement[bool]", label["class_id"].as_integer().in_(numbers))


def given_by(session: Session, project: Project, name: str, answer: Any = Annotation) -> ColumnElement[bool]:
    """Whether an answer is of a person with an account, or of whoever a file named so.

    Raises:
        Invalid: nobody of that name has answered here.
    """
    user = session.execute(select(User.id).where(User.folded_name == fold(name))).scalar_one_or_none()
    named = and_(answer.annotator_name == name, answer.annotator_id.is_(None))
    mine = or_(named, answer.annotator_id == user) if user is not None else named
    known = user is not None and session.get(Member, (project.id, user)) is not None
    here = select(answer.id).where(answer.project_id == project.id, mine).limit(1)
    if not known and session.execute(here).first() is None:
        raise Invalid(f"nobody called {name[:80]!r} has answered here", fields={"annotator": "unknown"})
    return mine


@lru_cache(64)
def taken_back(answer: Any) -> ColumnElement[bool]:
    """Whether the current version of an answer is a retraction."""
    found = select(LAST.id).where(LAST.answer_id == answer.answer_id, LAST.retracted, is_newest(LAST))
    return found.correlate(answer).exists()


def taken_back_in(project_id: int, answer: Any) -> ColumnElement[bool]:
    """As `taken_back`, where many answers of one project are asked: the few that changed are looked at once."""
    changed = and_(LAST.project_id == project_id, LAST.version > literal_column("1"))  # an index's own words
    found = select(LAST.answer_id).where(changed, LAST.retracted, is_newest(LAST))
    return cast("ColumnElement[bool]", answer.answer_id.in_(found))


def first_of_a_person(answer: Any) -> ColumnElement[bool]:
    """Whether a version is the first one of an answer that somebody gave here, in the words of the index of days."""
    return and_(answer.version == literal_column("1"), answer.origin == literal_column("'human'"))


def of_class(session: Session, project: Project, numbers: Sequence[int]) -> ColumnElement[bool]:
    """Whether one of the answers that decide names one of the classes; a manager's word alone decides where it is."""
    answer, word, own = aliased(Annotation), aliased(Annotation), aliased(Item)  # an export selects from both itself
    last_word = select(word.id).where(
        word.item_id == answer.item_id,
        word.item_revision == answer.item_revision,
        word.decisive,
        ~word.retracted,
        word.answer_id != answer.answer_id,
        or_(~answer.decisive, word.id > answer.id),
        is_newest(word),
    )
    found = select(answer.item_id).where(
        answer.project_id == project.id,
        ~answer.retracted,
        or_(answer.counted, answer.decisive),
        names_class(project, answer.label, numbers),
        is_newest(answer),
        ~last_word.correlate(answer).exists(),
    )
    if are_few(session, select(Annotation.id).where(Annotation.project_id == project.id)):
        return Item.id.in_(found.join(own, and_(own.id == answer.item_id, own.revision == answer.item_revision)))
    return found.where(answer.item_id == Item.id, answer.item_revision == Item.revision).correlate(Item).exists()


def given(session: Session, project: Project, asked: Sequence[Condition]) -> ColumnElement[bool]:
    """Whether one answer, which was not taken back, was given by whom, when and why the conditions say.

    Who and when are those of an answer's first version: a correction is somebody else's work.
    """
    first = aliased(Annotation)
    found = select(first.item_id).where(first.project_id == project.id, first.version == 1, ~taken_back(first))
    for each in asked:
        if each.name == "kind":
            found = found.where(first.kind.in_(each.values), first.counted)
        elif each.name == "annotator":
            found = found.where(or_(*(given_by(session, project, name, first) for name in each.values)))
        else:
            moments = [moment(project, value, each.name) for value in each.values]
            after = each.name == "answered_after"
            found = found.where(
                first.origin == "human",
                first.created_at >= min(moments) if after else first.created_at < max(moments),
            )
    return among(session, found.distinct())


def moment(project: Project, text: str, field: str) -> datetime:
    """A moment as a filter writes it: with its zone, or a day, which begins at midnight in the project's zone."""
    try:
        if len(text) == len("2026-11-28"):
            return datetime.combine(datetime.fromisoformat(text).date(), time.min, goal.zone_of(project))
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None and abs(found.year - 2000) < 5000:
            return found
    except (ValueError, OverflowError):
        pass
    raise Invalid(
        f"{field} is a day, as 2026-11-28, or a moment with its zone, as 2026-11-28T09:00Z", fields={field: "no moment"}
    )


def disputed(session: Session, project: Project) -> ColumnElement[bool]:
    """Whether the votes on an item are a tie and no manager has said what it is."""
    return one_of(session, Item.id, disputed_ids(session, project))


def disputed_ids(session: Session, project: Project) -> list[int]:
    """The items whose label is a tie. A pass over the answers, and a closer look at the items where they differ."""
    answer = aliased(Annotation)
    text = func.count(func.distinct(as_type(answer.label, Text)))
    differing = (
        select(answer.item_id)
        .where(
            answer.project_id == project.id, ~answer.retracted, or_(answer.counted, answer.decisive), is_newest(answer)
        )
        .group_by(answer.item_id)
        .having(func.count() > 1, text > 1)
    )
    ids = list(session.execute(differing).scalars())
    asked = tasks.questions(session, project)
    found = []
    for start in range(0, len(ids), consensus.FETCHED):
        votes = consensus.answers_of(session, ids[start : start + consensus.FETCHED])
        found += [item for item, given_ in votes.items() if consensus.of(given_, asked).disputed]
    return found


def one_of(session: Session, column: Any, ids: Sequence[int]) -> ColumnElement[bool]:
    """Whether a column is one of many numbers, which go to the database as one value."""
    if session.get_bind().dialect.name == "postgresql":
        return cast("ColumnElement[bool]", column == any_(as_type(list(ids), ARRAY(BigInteger))))
    return cast("ColumnElement[bool]", column.in_(select(func.json_each(write_json(list(ids))).table_valued("value"))))
