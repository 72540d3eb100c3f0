"""One range of a file that comes piece by piece from elsewhere, answered as the framework answers for files here."""

import re
from collections.abc import Callable, Iterator
from itertools import chain

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def answer(
    request: Request, pieces: Callable[[int, int], Iterator[bytes]], size: int, kind: str, headers: dict[str, str]
) -> Response:
    """The whole file, or the one range that the request asks for; of several ranges the whole file is the answer.

    `pieces(start, end)` gives the bytes; the first piece is taken before the answer begins, so that what it raises
    becomes a refusal. 400 for a range that is none, 416 for one behind the end.
    """
    asked = request.headers.get("range")
    if asked is None or "," in asked or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return _stream(pieces, 0, size, 200, kind, {**headers, "Content-Length": str(size)})
    found = RANGE.fullmatch(asked.strip())
    if found is None or not any(found.groups()):
        return PlainTextResponse("the range is none", status_code=400)
    first, last = found.groups()
    start = max(0, size - int(last[:20])) if first == "" else int(first[:20])
    end = size if first == "" or last == "" else min(size, int(last[:20]) + 1)
    if first and last and int(first[:20]) > int(last[:20]):
        return PlainTextResponse("the range ends before it begins", status_code=400)
    if start >= size or end <= start:
        return PlainTextResponse("", status_code=416, headers={"Content-Range": f"bytes */{size}"})
    told = {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return _stream(pieces, start, end, 206, kind, {**headers, **told})


def _stream(
    pieces: Callable[[int, int], Iterator[bytes]], start: int, end: int, status: int, kind: str, headers: dict[str, str]
) -> Response:
    coming = pieces(start, end)
    first = next(coming, b"")
    headers = {**headers, "Accept-Ranges": "bytes"}
    return StreamingResponse(chain((first,), coming), status_code=status, media_type=kind, headers=headers)
