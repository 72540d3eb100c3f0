"""Forms with files: written piece by piece to one private file, bounded, each file a stretch of it.

The framework's own reader keeps up to a megabyte of each of a thousand files in memory and the rest in the system's
folder of temporary files, whose room nobody watches.
"""

import errno
import io
import os
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.api.bodies import refuse_announced
from app.core.errors import BadSyntax, TooLarge, Unavailable
from app.core.settings import Settings
from app.services import quota, spool

FILES_AT_ONCE = 1000
FIELD_BYTES = 1_000_000  # of what is no file, all together
FORM_BYTES = 1_000_000  # of what stands between the files: their names and marks
BOUNDARY_BYTES = 256
LOOK_BYTES = 16 * 1024 * 1024  # between two looks at the room on the disk


@dataclass
class SentFile:
    """A file of a form: its name as it was sent, and where it lies in the spooled form."""

    name: str
    spooled: BinaryIO
    start: int
    size: int = 0

    def open(self) -> BinaryIO:
        """Its bytes, read from the spool."""
        return io.BufferedReader(_Stretch(self.spooled.fileno(), self.start, self.size))


async def receive_files(
    request: Request, config: Settings, file: BinaryIO, name: str, left: int | None
) -> list[SentFile]:
    """Write the files of a form's field to `file`; `left` is how many bytes may be stored, None for any number.

    Raises:
        BadSyntax: no form, or one that is cut off.
        TooLarge: a body over its limit, more files than are taken at once, or fields too long.
        NoRoom: more bytes than are left; where the request says its length, before a byte of it is waited for.
        Unavailable: the disk is full.
    """
    refuse_announced(request, config.import_body_bytes)
    announced = request.headers.get("content-length", "")
    quota.check(config, left, int(announced) - FORM_BYTES if announced.isdecimal() else 0)
    form = _Form(file, name, config, left)
    parser = MultipartParser(_boundary(request), form.callbacks())
    size = 0
    async for piece in request.stream():
        size += len(piece)
        spool.check_size(config, size)
        try:
            parser.write(piece)
        except MultipartParseError as error:
            raise BadSyntax(f"the form cannot be read: {str(error)[:100]}") from None
        except OSError as error:
            raise Unavailable(f"the server's disk is full: nothing was stored ({error.strerror})") from None
    if not form.ended:
        raise BadSyntax("the form was cut off: nothing was stored")
    return form.files


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= BOUNDARY_BYTES:
        raise BadSyntax("send the files as multipart/form-data with a boundary")
    return boundary


@dataclass
class _Form:
    """What the parser tells of a form, part by part; only files of the field that is wanted are kept."""

    file: BinaryIO
    wanted: str
    config: Settings
    left: int | None
    files: list[SentFile] = field(default_factory=list)
    ended: bool = False
    _name: bytes = b""
    _value: bytes = b""
    _disposition: bytes = b""
    _current: SentFile | None = None
    _written: int = 0
    _looked_at: int = -LOOK_BYTES
    _ignored: int = 0

    def callbacks(self) -> Any:
        """By the names that the parser has for them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._current, self._disposition = None, b""
        self._ignored += 1  # an empty field costs something too

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name", b"").decode("utf-8", "replace") != self.wanted or b"filename" not in options:
            return
        if len(self.files) >= FILES_AT_ONCE:
            raise TooLarge(f"a form has at most {FILES_AT_ONCE:,} files: send the others in another one, or a ZIP")
        name = options[b"filename"].decode("utf-8", "replace")
        self._current = SentFile(name, self.file, self._written)
        self.files.append(self._current)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._current is None:
            self._ignored += end - start
            if self._ignored > FIELD_BYTES:
                raise TooLarge(f"the form has more than {FIELD_BYTES:,} bytes that are no files")
            return
        quota.check(self.config, self.left, self._written + end - start)
        if self._written - self._looked_at >= LOOK_BYTES:
            spool.check_room(self.config)
            self._looked_at = self._written
        self.file.write(data[start:end])
        self._written += end - start
        self._current.size += end - start

    def _end(self) -> None:
        self.file.flush()
        self.ended = True


class _Stretch(io.RawIOBase):
    """A part of a file that is open already, as a file of its own; reading it moves nobody else's place."""

    def __init__(self, handle: int, start: int, size: int) -> None:
        self._handle, self._start, self._size, self._at = handle, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "a place before the file's beginning")  # as a file's own seek does
        self._at = base + offset
        return self._at

    def readinto(self, into: Any) -> int:
        wanted = min(len(into), max(0, self._size - self._at))
        piece = os.pread(self._handle, wanted, self._start + self._at)
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
