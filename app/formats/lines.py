"""JSON: one object a line, or one array of objects."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import orjson

from app.core.errors import AppError, InvalidFile
from app.core.text import read_json
from app.formats.base import ReadRow

UTF8_MARK = codecs.BOM_UTF8
SKIP_PIECE = 1 << 20
READ_PIECE = 1 << 18
OUTSIDE = re.compile(rb'["\[\]{},]')
IN_STRING = re.compile(rb'["\\]')
_STEP = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
NO_ARRAY = "the body is not a JSON array; send one object a line as application/x-ndjson"


@dataclass(frozen=True)
class JsonLines:
    """One JSON object a line; empty lines are passed over, a broken line is that row's error."""

    name: ClassVar[str] = "jsonl"
    media_type: ClassVar[str] = "application/x-ndjson"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def read(self, file: BinaryIO, *, max_line_bytes: int) -> Iterator[ReadRow]:
        """Rows in file order; a line longer than the limit is passed over without being held in memory."""
        number = 0
        while line := file.readline(max_line_bytes + 1):
            number += 1
            if number == 1:
                _refuse_other_encodings(line)
                line = line.removeprefix(UTF8_MARK)
            if len(line) > max_line_bytes:
                if not line.endswith(b"\n"):
                    _skip_line(file)
                yield ReadRow(number, None, f"the line has more than {max_line_bytes:,} bytes")
            elif line.strip():
                yield _row(number, line)

    def write(self, rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
        """One object a line, every byte kept."""
        for row in rows:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))


@dataclass(frozen=True)
class JsonArray:
    """One JSON array of objects, read element by element."""

    name: ClassVar[str] = "json"
    media_type: ClassVar[str] = "application/json"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def read(self, file: BinaryIO, *, max_line_bytes: int) -> Iterator[ReadRow]:
        """Rows in file order, numbered from 1; an element that is broken inside is that row's error.

        Memory is bounded by the longest element that is allowed.

        Raises:
            InvalidFile: it is not an array, or it is cut off.
        """
        for number, element in enumerate(elements(file, max_line_bytes), start=1):
            if element is None:
                yield ReadRow(number, None, f"the element has more than {max_line_bytes:,} bytes")
            else:
                yield _row(number, element, "the element")

    def write(self, rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
        """One array."""
        file.write(b"[")
        for number, row in enumerate(rows):
            file.write((b",\n" if number else b"\n") + orjson.dumps(row, option=orjson.OPT_UTC_Z))
        file.write(b"\n]\n")


def elements(file: BinaryIO, longest: int) -> Iterator[bytes | None]:
    """The elements of a JSON array as bytes, cut at the commas between them; None for one that is too long.

    Only strings and brackets are looked at: what is between them is judged by whoever parses an element.
    """
    cutter = _Cutter(longest)
    while piece := file.read(READ_PIECE):
        yield from cutter.feed(piece)
    cutter.end()


class _Cutter:
    """Follows strings and brackets through pieces of an array."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._kept: list[bytes] = []  # of the element that is being read
        self._size = 0
        self._depth = 0  # of brackets; 1 is inside the array
        self._in_string = False
        self._escaped = False
        self._count = 0
        self._closed = False
        self._started = False

    def feed(self, piece: bytes) -> Iterator[bytes | None]:
        """The elements that end in this piece."""
        if not self._started:
            _refuse_other_encodings(piece)
            piece = piece.removeprefix(UTF8_MARK)
            self._started = True
        if self._closed and piece.strip():
            raise InvalidFile(f"something stands behind the JSON array of {self._count:,} elements")
        start = place = 0
        while (mark := self._next(piece, place)) is not None:
            place = mark + 1
            letter = piece[mark : mark + 1]
            if letter == b'"' and self._depth:
                self._in_string = True
                continue
            before = self._depth
            self._depth += _STEP.get(letter, 0)
            if before == 0:
                self._open(piece[start:mark], letter)
                start = place
            elif (before == 1 and letter == b",") or self._depth == 0:
                self._keep(piece[start:mark])
                yield from self._cut(last=self._depth == 0)
                start = place
                if self._closed:
                    yield from self.feed(piece[start:])
                    return
        self._keep(piece[start:])

    def end(self) -> None:
        """Raise InvalidFile where the array did not end."""
        if not self._started or (self._depth == 0 and not self._closed):
            raise InvalidFile(NO_ARRAY)
        if not self._closed:
            raise InvalidFile(f"the JSON array is cut off after element {self._count:,}")

    def _next(self, piece: bytes, place: int) -> int | None:
        """Where the next bracket, comma or opening quote outside of strings stands."""
        while True:
            if self._escaped and place < len(piece):
                self._escaped, place = False, place + 1
            found = (IN_STRING if self._in_string else OUTSIDE).search(piece, place)
            if found is None:
                return None
            if not self._in_string:
                return found.start()
            place = found.end()
            if found.group() == b'"':
                self._in_string = False
            else:
                self._escaped = True

    def _open(self, before: bytes, letter: bytes) -> None:
        if letter != b"[" or before.strip():
            raise InvalidFile(NO_ARRAY)

    def _keep(self, part: bytes) -> None:
        if self._closed or (self._depth == 0 and not self._kept and not part.strip()):
            return
        self._size += len(part)
        if self._size > self._longest:
            self._kept = []
        else:
            self._kept.append(part)

    def _cut(self, *, last: bool) -> Iterator[bytes | None]:
        element = b"".join(self._kept).strip()
        too_long = self._size > self._longest
        self._kept, self._size, self._closed = [], 0, last
        if last and not element and not too_long and self._count == 0:
            return  # an empty array
        self._count += 1
        yield None if too_long else element


def _row(number: int, line: bytes, what: str = "the line") -> ReadRow:
    try:
        value = read_json(line, what=what)
    except AppError as error:
        return ReadRow(number, None, str(error))
    if not isinstance(value, dict):
        return ReadRow(number, None, f"{what} is not a JSON object")
    return ReadRow(number, value)


def _refuse_other_encodings(start: bytes) -> None:
    if (
        start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        or start[:4:2] == b"\x00\x00"
        or start[1:4:2] == b"\x00\x00"
    ):
        raise InvalidFile("the file is in UTF-16: save it as UTF-8")


def _skip_line(file: BinaryIO) -> None:
    while piece := file.readline(SKIP_PIECE):
        if piece.endswith(b"\n"):
            return
