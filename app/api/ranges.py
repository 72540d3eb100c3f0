"""One range of a file, from the disk or piece by piece from elsewhere; what is no range is refused as all else is."""

import re
from collections.abc import Callable, Iterator
from itertools import chain

from fastapi import Request, Response

from app.api.streams import Streamed
from app.core.errors import BadSyntax, RangeRefused

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def answer(
    request: Request, pieces: Callable[[int, int], Iterator[bytes]], size: int, kind: str, headers: dict[str, str]
) -> Response:
    """The whole file, or the one range that the request asks for; of several ranges the whole file is the answer.

    `pieces(start, end)` gives the bytes; the first piece is taken before the answer begins, so that what it raises
    becomes a refusal.

    Raises:
        BadSyntax: the range is none.
        RangeRefused: it lies behind the end.
    """
    asked = request.headers.get("range")
    if asked is None or "," in asked or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return _stream(pieces, 0, size, 200, kind, {**headers, "Content-Length": str(size)})
    found = RANGE.fullmatch(asked.strip())
    if found is None or not any(found.groups()):
        raise BadSyntax("the range is none: write bytes=0-999")
    first, last = found.groups()
    start = max(0, size - int(last[:20])) if first == "" else int(first[:20])
    end = size if first == "" or last == "" else min(size, int(last[:20]) + 1)
    if first and last and int(first[:20]) > int(last[:20]):
        raise BadSyntax("the range ends before it begins")
    if start >= size or end <= start:
        refused = RangeRefused(f"the file has {size:,} bytes")
        refused.headers["Content-Range"] = f"bytes */{size}"
        raise refused
    told = {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return _stream(pieces, start, end, 206, kind, {**headers, **told})


def _stream(
    pieces: Callable[[int, int], Iterator[bytes]], start: int, end: int, status: int, kind: str, headers: dict[str, str]
) -> Response:
    coming = pieces(start, end)
    first = next(coming, b"")
    headers = {**headers, "Accept-Ranges": "bytes"}
    close = getattr(coming, "close", None)
    return Streamed(chain((first,), coming), ended=close, status_code=status, media_type=kind, headers=headers)
