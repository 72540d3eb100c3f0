"""Exports over REST."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

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
) -> StreamingResponse:
    """A snapshot of one moment, of items by filter (reviewers and managers); `extra` adds answers not counted."""
    return download(*exports.write(db, config, person, project, wanted, kind=format, view=view, raw=raw, extra=extra))


def download(path: Path, kind: str, name: str) -> StreamingResponse:
    """A file to keep under a name, gone when it was sent."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(path.stat().st_size),
    }
    return StreamingResponse(_pieces(path), media_type=kind, headers=headers)


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 16):
                yield piece
    finally:
        path.unlink(missing_ok=True)
