"""The list of projects, the page for a new one, and a look into a Parquet file before it is imported."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from app.api.deps import Caller, Db
from app.core.errors import InvalidFile, TooLarge
from app.core.text import write_json
from app.services import cards, projects
from app.web.pages import PageRoute, Visitor, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LARGEST_PREVIEW = 64_000_000
ROWS_SHOWN = 200
CELL_SHOWN = 2_000


@router.get("/")
def home(visitor: Visitor, db: Db) -> RedirectResponse:
    """Where a person lands after signing in: an annotator with one project in it, everybody else at the list."""
    with db.read() as session:
        found = cards.cards(session, visitor)
    only = found[0] if len(found) == 1 else None
    to = f"/projects/{only.slug}/annotate" if only and only.role == "annotator" else "/projects"
    return RedirectResponse(to, status_code=303)


@router.get("/projects")
def list_projects(request: Request, visitor: Visitor, db: Db) -> Response:
    """The person's projects as cards."""
    with db.read() as session:
        found = cards.cards(session, visitor)
        archived, deleted = cards.archived(session, visitor), cards.deleted(session, visitor, db.now())
    may_create = visitor.admin or not found or any(card.role == "manager" for card in found)
    shelved: dict[str, Any] = {"archived": archived, "deleted": deleted}
    return page(request, "projects.html", visitor, cards=found, may_create=may_create, **shelved)


@router.get("/projects/new")
def new_project(request: Request, visitor: Visitor) -> Response:
    """Data, question and learning on one page."""
    return page(request, "new-project.html", visitor, config={"strategies": projects.strategies()})


@router.post("/projects/new/parquet")
async def look_into_parquet(request: Request, person: Caller) -> Response:
    """The columns and first rows of a Parquet file that a manager is about to import; nothing is kept.

    Raises:
        TooLarge: more than 64 MB; such files are imported with the command line.
        InvalidFile: not a Parquet file.
    """
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST_PREVIEW:
            raise TooLarge(f"only files of up to {LARGEST_PREVIEW:,} bytes are shown before the import")
        pieces.append(piece)
    found = await run_in_threadpool(_head, b"".join(pieces))
    return Response(write_json(found).encode("utf-8", "replace"), media_type="application/json")


def _head(content: bytes) -> dict[str, Any]:
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        batch = next(file.iter_batches(ROWS_SHOWN), None)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidFile(f"the file is not a Parquet file: {str(error)[:120]}") from None
    rows = batch.to_pylist() if batch is not None else []
    shown = [{name: _cell(value) for name, value in row.items()} for row in rows]
    return {"columns": file.schema_arrow.names, "rows": shown, "total": file.metadata.num_rows}


def _cell(value: Any) -> Any:
    """A value that JSON can carry, cut to what a preview needs."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, list):
        return [_cell(each) for each in value[:100]]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return str(value)[:CELL_SHOWN]
