"""Classes of a running project."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.core.text import INT64_MAX
from app.db import ProjectClass
from app.services import affected, classes

router = APIRouter(tags=["projects"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]


class ClassOut(BaseModel):
    """A class of a question; its id is the project's own and never used again."""

    id: int
    question: str
    name: str
    color: str
    hotkey: str | None
    description: str
    retired: bool
    merged_into: int | None = None


class CountedClassOut(ClassOut):
    """A class with the answers that stand for it; those of a merged class count for the one it was merged into."""

    answers: int


class ClassesOut(BaseModel):
    """All classes in the order in which people see them."""

    items: list[CountedClassOut]


class ClassIn(Body):
    """A new class, of the driving question unless another one is named."""

    question: str | None = Field(None, min_length=1, max_length=64)
    name: str = Field(min_length=1, max_length=200)
    color: str | None = Field(None, max_length=16)
    hotkey: str | None = Field(None, max_length=16)
    description: str | None = Field(None, max_length=10_000)


class ClassChange(Body):
    """What may be changed of a class."""

    name: str | None = Field(None, min_length=1, max_length=200)
    color: str | None = Field(None, max_length=16)
    hotkey: str | None = Field(None, max_length=16)
    description: str | None = Field(None, max_length=10_000)
    retired: bool | None = None


class MergeIn(Body):
    """The class that takes the other one in."""

    into: int = Field(gt=0, le=INT64_MAX)


class AffectedOut(BaseModel):
    """Items by key with the `similarity` or `probability` that they are ordered by."""

    by: str | None
    items: list[dict[str, Any]]
    words: str | None  # why there is none


@router.get("/projects/{project}/classes", response_model=ClassesOut)
def list_classes(project: str, person: Caller, db: Db) -> ClassesOut:
    """The classes with the number of answers of each (reviewers and managers)."""
    with db.read() as session:
        found = classes.counted(session, person, project)
        rows = [CountedClassOut(**class_out(each.row).model_dump(), answers=each.answers) for each in found]
        return ClassesOut(items=rows)


@router.post("/projects/{project}/classes", status_code=201, response_model=ClassOut)
def add_class(project: str, body: ClassIn, person: Caller, db: Db) -> ClassOut:
    """Add a class; a round becomes due."""
    with db.write() as session:
        given = body.model_dump(exclude_none=True)
        return class_out(classes.add(session, person, project, given, given.pop("question", None)))


@router.patch("/projects/{project}/classes/{number}", response_model=ClassOut)
def change_class(project: str, number: Number, body: ClassChange, person: Caller, db: Db) -> ClassOut:
    """Rename, recolour, describe or retire a class."""
    with db.write() as session:
        return class_out(classes.change(session, person, project, number, body.model_dump(exclude_unset=True)))


@router.delete("/projects/{project}/classes/{number}", status_code=204)
def delete_class(project: str, number: Number, person: Caller, db: Db) -> None:
    """Delete a class that no label uses."""
    with db.write() as session:
        classes.delete(session, person, project, number)


@router.post("/projects/{project}/classes/{number}/merge", response_model=ClassOut)
def merge_class(project: str, number: Number, body: MergeIn, person: Caller, db: Db) -> ClassOut:
    """Merge a class into another one: its answers are read as that one's from now on, late ones too."""
    with db.write() as session:
        return class_out(classes.merge(session, person, project, number, body.into))


@router.delete("/projects/{project}/classes/{number}/merge", response_model=ClassOut)
def unmerge_class(project: str, number: Number, person: Caller, db: Db) -> ClassOut:
    """Undo a merge: the answers given under the class are its own again."""
    with db.write() as session:
        return class_out(classes.unmerge(session, person, project, number))


@router.get("/projects/{project}/classes/{number}/affected", response_model=AffectedOut)
def list_affected(
    project: str,
    number: Number,
    person: Caller,
    config: Config,
    db: Db,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AffectedOut:
    """Answers to look at again after a class was added or merged, those that it most likely concerns first."""
    with db.read() as session:
        found = affected.affected(session, config, person, project, number, limit)
    items = [{"key": key, str(found.by): value} for key, value in zip(found.keys, found.values, strict=True)]
    return AffectedOut(by=found.by, items=items, words=found.words)


def class_out(row: ProjectClass) -> ClassOut:
    """A class as the API shows it."""
    return ClassOut(
        id=row.number,
        question=row.question,
        name=row.name,
        color=row.color,
        hotkey=row.hotkey,
        description=row.description,
        retired=row.retired,
        merged_into=row.merged_into,
    )
