"""The one door for bytes that people brought or wrote: shown or kept, they can run nothing in a browser of ours.

Only pictures, sounds and videos of the types that our own look gives are shown; everything else is a file to keep.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import FileResponse

from app.api import ranges
from app.api.streams import Streamed

INERT = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
SHOWN = frozenset(
    {
        "image/png", "image/jpeg", "image/webp", "image/gif", "audio/wav", "audio/flac", "audio/ogg", "audio/mpeg",
        "video/mp4", "video/webm",
    }
)  # fmt: skip
UNKNOWN = "application/octet-stream"
PIECE = 1 << 16


def shown(request: Request, path: Path, kind: str, version: str) -> Response:
    """A stored file that never changes under its address, or one range of it; 304 where the caller has it."""
    kind, headers = _seen(kind, version)
    if is_known(request, version):
        return Response(status_code=304, headers=headers)
    if "range" in request.headers:
        return ranges.answer(request, partial(_part, path), path.stat().st_size, kind, headers)
    return FileResponse(path, media_type=kind, headers=headers)


def shown_in_pieces(
    request: Request, pieces: Callable[[int, int], Iterator[bytes]], size: int, kind: str, version: str
) -> Response:
    """As `shown`, of a file that comes from elsewhere; `pieces(start, end)` gives its bytes."""
    kind, headers = _seen(kind, version)
    if is_known(request, version):
        return Response(status_code=304, headers=headers)
    return ranges.answer(request, pieces, size, kind, headers)


def kept(content: bytes | Iterable[bytes] | Iterable[str], kind: str, name: str) -> Response:
    """Content to keep under a name."""
    headers = {**INERT, **as_file(name)}
    if isinstance(content, bytes):
        return Response(content, media_type=kind, headers=headers)
    return Streamed(content, media_type=kind, headers=headers)


def kept_once(path: Path, kind: str, name: str) -> Response:
    """A file to keep under a name, gone when it was sent or its reader has gone."""
    size = path.stat().st_size
    headers = {**INERT, **as_file(name), "Content-Length": str(size)}
    gone = partial(path.unlink, missing_ok=True)
    return Streamed(_part(path, 0, size), ended=gone, media_type=kind, headers=headers)


def is_known(request: Request, version: str) -> bool:
    """Whether the caller says that it has this version."""
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    return bool(known & {f'"{version}"', "*"})


def as_file(name: str) -> dict[str, str]:
    """The header that names a file to keep, as RFC 6266 has it: one line, whatever the name holds."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_. ") else "_" for letter in name)
    more = "" if plain == name else f"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    return {"Content-Disposition": f'attachment; filename="{plain}"{more}'}


def _seen(kind: str, version: str) -> tuple[str, dict[str, str]]:
    headers = {**INERT, "Cache-Control": "private, max-age=31536000, immutable", "ETag": f'"{version}"'}
    if kind not in SHOWN:
        return UNKNOWN, headers | as_file(version[:80])
    return kind, headers


def _part(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece
