"""Exports over REST."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.api import files
from app.api.bodies import StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.filters import DESCRIBED, Filtering
from app.formats import FORMATS
from app.services import exports

router = APIRouter(tags=["items"], route_class=StrictRoute)


WRITTEN: dict[int | str, dict[str, Any]] = {
    200: {"content": {each.media_type: {"schema": {"type": "string"}} for each in FORMATS.values()}}
}


@router.get("/projects/{project}/export", response_model=None, openapi_extra=DESCRIBED, responses=WRITTEN)
def export(
    project: str,
    person: Caller,
    config: Config,
    db: Db,
    wanted: Filtering,
    format: Annotated[str, Query(max_length=20)] = "jsonl",
    view: Annotated[str, Query(max_length=20)] = "annotations",
    raw: bool = False,
    extra: bool = False,
) -> Response:
    """A snapshot of one moment, of items by filter (reviewers and managers); `extra` adds answers not counted."""
    return files.kept_once(
        *exports.write(db, config, person, project, wanted, kind=format, view=view, raw=raw, extra=extra)
    )
