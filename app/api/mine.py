"""One's own answers over REST: for every member, and nothing of anybody else."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict

from app.api.bodies import StrictRoute
from app.api.deps import Caller, Db
from app.api.filters import Filtering, described
from app.api.pages import Cursor, Limit, seal, unseal
from app.api.payloads import item_view
from app.services import filters, mine

DESCRIBED = described((*filters.CONTENT, *mine.OWN, "metadata.<name>"))
router = APIRouter(tags=["labelling"], route_class=StrictRoute)


class OwnAnswerOut(BaseModel):
    """One's own last version of an answer; `changeable` by a `PUT` while it is the newest and the project open."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    label: dict[str, Any]
    version: int
    created_at: datetime
    seconds_spent: float
    guidelines_version: int
    changeable: bool


class OwnNoteOut(BaseModel):
    """One's own note, with the reply if there is one."""

    model_config = ConfigDict(from_attributes=True)

    note: str
    state: str
    reply: str | None
    created_at: datetime


class OwnItemOut(BaseModel):
    """An item with its content, by modality under `text`, `image`, `audio` or `row`, and what one said about it."""

    model_config = ConfigDict(extra="allow")

    id: int
    key: str
    answer: OwnAnswerOut | None
    skipped: bool
    notes: list[OwnNoteOut]


class OwnItemsOut(BaseModel):
    """A page of one's own items."""

    items: list[OwnItemOut]
    next: str | None


@router.get("/projects/{project}/mine", response_model=OwnItemsOut, openapi_extra=DESCRIBED)
def list_own_items(
    project: str,
    request: Request,
    person: Caller,
    db: Db,
    wanted: Filtering,
    sort: Annotated[str, Query(max_length=40)] = "-answered",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> OwnItemsOut:
    """What the caller answered, skipped (`status=skipped`) or left a note on (`status=flagged`), and nobody else."""
    place = None if cursor is None else unseal(request, person, cursor)
    with db.read() as session:
        found = mine.page(session, person, project, wanted, sort, limit, place)
        shown = [
            OwnItemOut(
                **item_view(found.project.modality, each.item.payload),
                id=each.item.id,
                key=each.item.key,
                answer=None if each.answer is None else OwnAnswerOut.model_validate(each.answer),
                skipped=each.skipped,
                notes=[OwnNoteOut.model_validate(note) for note in each.notes],
            )
            for each in found.items
        ]
    return OwnItemsOut(items=shown, next=found.next and seal(request, person, found.next))
