"""Changes of many items at once over REST: by filter or keys, with a token that takes them back."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Db
from app.api.filters import DESCRIBED, Filtering
from app.core import filters
from app.services import edits

router = APIRouter(tags=["items"], route_class=StrictRoute)


class SetIn(Body):
    """What each item is to have; of `metadata` only the columns named, and null removes one."""

    state: Literal["open", "excluded"] | None = None
    split: Literal["pool", "audit"] | None = None
    priority: int | None = Field(None, ge=-(10**9), le=10**9)
    metadata: dict[Annotated[str, Field(min_length=1, max_length=200)], Any] | None = Field(None, max_length=100)
    label: dict[str, Any] | None = Field(None, examples=[{"class": "cat"}])


class EditIn(Body):
    """Which items, by a filter or by their keys, and what is set.

    `existing` concerns a label and the items that have answers: with `refuse` nothing is done where there is one (409
    says how many), `keep` leaves these alone, `override` decides them too.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"filter": "q=spam", "set": {}}]})

    filter: str = Field("", max_length=filters.MAX_CHARACTERS, examples=["metadata.source=web&q=football"])
    keys: list[Annotated[str, Field(min_length=1, max_length=512)]] = Field([], max_length=edits.MOST)
    set: SetIn
    existing: Literal["refuse", "keep", "override"] = "refuse"

    @model_validator(mode="after")
    def _one_of_both(self) -> "EditIn":
        if bool(self.filter) == bool(self.keys):
            raise ValueError("give a filter, or keys")
        return self


class UndoIn(Body):
    """The token of the change that is taken back."""

    undo_token: str = Field(min_length=1, max_length=100)


class EditOut(BaseModel):
    """The job that makes the change, how many items it looks at, and what takes it back."""

    job: dict[str, Any]
    items: int
    undo_token: str


class CountOut(BaseModel):
    """How many items fit; `more` where there are more than a change may take."""

    count: int
    more: bool


@router.get("/projects/{project}/items/count", response_model=CountOut, openapi_extra=DESCRIBED)
def count_items(project: str, person: Caller, db: Db, wanted: Filtering) -> CountOut:
    """How many items fit a filter, counted to 10,000 (reviewers and managers)."""
    with db.read() as session:
        found = edits.count(session, person, project, wanted)
    return CountOut(count=min(found, edits.MOST), more=found > edits.MOST)


@router.post("/projects/{project}/items/bulk", status_code=202, response_model=EditOut)
def change_items(project: str, body: EditIn, person: Caller, db: Db) -> EditOut:
    """Exclude, take back in, put first, move to a split, set metadata of or label up to 10,000 items (managers).

    A label is the manager's word: an answer of the manager's own that wins over the others, and a version like any.
    Of `keys` all are changed or, where one names no item here, none: 404 says which. The job's result says how many
    were `changed`, and how many were so already or could not be.
    """
    wanted = filters.parse(body.filter)
    change = body.set.model_dump(exclude_unset=True)
    change = {name: value for name, value in change.items() if value is not None}
    with db.write() as session:
        return _out(edits.start(session, person, project, wanted, change, body.existing, body.keys))


@router.post("/projects/{project}/items/bulk/undo", status_code=202, response_model=EditOut)
def undo_change(project: str, body: UndoIn, person: Caller, db: Db) -> EditOut:
    """Give every item of a change back what it had (managers).

    What others changed or deleted meanwhile is left, and named in the job's result: `restored`, `left`, `left_keys`.
    409 while it is being taken back, and after.
    """
    with db.write() as session:
        return _out(edits.undo(session, person, project, body.undo_token))


def _out(started: edits.Started) -> EditOut:
    job = {"id": started.job, "state": "waiting", "progress": None, "reason": None}
    return EditOut(job=job, items=started.items, undo_token=started.undo_token)
