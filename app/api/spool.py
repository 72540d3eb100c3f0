"""Bodies of any size: written piece by piece to a private file, bounded, before anything looks into them."""

from hashlib import sha256
from typing import Any, BinaryIO

from fastapi import Request
from pydantic import BaseModel

from app.api.bodies import refuse_announced
from app.core.errors import BadSyntax, Unavailable
from app.core.settings import Settings
from app.formats import FORMATS
from app.services import spool

LOOK_BYTES = 16 * 1024 * 1024  # between two looks at the room on the disk


class ImportOut(BaseModel):
    """What became of the rows; at most a thousand rejected ones are listed."""

    created: int
    updated: int
    unchanged: int
    rejected_count: int
    rejected: list[dict[str, Any]]


def rows_body(words: str, *, schema: dict[str, Any]) -> dict[str, Any]:
    """The description of a body of rows in any of the formats."""
    kinds: dict[str, Any] = {each.media_type: {"schema": {"type": "string"}} for each in FORMATS.values()}
    kinds["application/json"] = {"schema": {"type": "array", "items": schema}}
    return {"requestBody": {"required": True, "description": words, "content": kinds}}


async def receive(request: Request, config: Settings, file: BinaryIO, *, may_be_empty: bool = False) -> str:
    """Write a body to its file; its SHA-256 in hex. Raises where the disk or the quota ends, or nothing is sent."""
    refuse_announced(request, config.import_body_bytes)
    size = checked = 0
    digest = sha256()
    async for piece in request.stream():
        size += len(piece)
        spool.check_size(config, size)
        if size - checked > LOOK_BYTES or checked == 0:
            spool.check_room(config)
            checked = size
        digest.update(piece)
        try:
            file.write(piece)
        except OSError as error:
            raise Unavailable(f"the server's disk is full: nothing was stored ({error.strerror})") from None
    if size == 0 and not may_be_empty:
        raise BadSyntax("the body is empty")
    try:
        file.flush()
    except OSError as error:
        raise Unavailable(f"the server's disk is full: nothing was stored ({error.strerror})") from None
    return digest.hexdigest()
