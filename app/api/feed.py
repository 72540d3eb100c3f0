"""The feed of answers over REST."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.api.annotations import AnnotationOut
from app.api.bodies import StrictRoute
from app.api.deps import Caller, Db
from app.api.loop import LOOK_SECONDS, Wait
from app.api.pages import Limit
from app.core.ending import ending
from app.core.text import INT64_MAX
from app.services import feed
from app.services.feed import Page, Wanted

router = APIRouter(tags=["labelling"], route_class=StrictRoute)


class ChangeOut(AnnotationOut):
    """One step of an answer's life. `answer` is the same for all its versions; a retraction has the label it had."""

    seq: int
    action: Literal["created", "replaced", "retracted"]
    answer: str


class ChangesOut(BaseModel):
    """Changes in commit order; `next` is the `after` of the next request, also when there are none now."""

    items: list[ChangeOut]
    next: int


@router.get("/projects/{project}/annotations", response_model=ChangesOut)
async def follow_annotations(
    project: str,
    person: Caller,
    db: Db,
    after: Annotated[int, Query(ge=0, le=INT64_MAX)] = 0,
    annotator: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    class_: Annotated[str | None, Query(alias="class", min_length=1, max_length=200)] = None,
    limit: Limit = 200,
    wait: Wait = 0,
) -> Any:
    """Every answer, change and retraction behind `after` in commit order, each once (reviewers and managers).

    With `wait` an empty page is answered when there is something, or at the end of the wait. `class` gives changes of
    answers that name the class or named it until this change.
    """
    wanted = Wanted(annotator, class_)
    end = asyncio.get_running_loop().time() + wait

    def read(to: int) -> Page:
        with db.read() as session:
            return feed.page(session, person, project, after, to, limit, wanted)

    while True:
        found = await run_in_threadpool(read, await feed.settled(db))
        after = found.next
        if found.changes or not await _newer(db, found.project_id, after, end):
            return ChangesOut(items=[_shown(each) for each in found.changes], next=after)


async def _newer(db: Db, project_id: int, after: int, end: float) -> bool:
    """Wait for something behind a place, with neither a thread nor a connection; False when the time is over."""
    clock = asyncio.get_running_loop().time
    while clock() < end and not ending.is_set():
        if await feed.newest(db, project_id) > after:
            return True
        await asyncio.sleep(min(LOOK_SECONDS, max(0.0, end - clock())))
    return False


def _shown(change: feed.Change) -> ChangeOut:
    stored = AnnotationOut.model_validate(change.annotation).model_dump()
    return ChangeOut(**stored, seq=change.seq, action=change.action, answer=change.answer)
