"""JSON: one object a line, or one array of objects."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import ijson
import orjson

from app.core.errors import AppError, InvalidFile
from app.core.text import read_json
from app.formats.base import ReadRow

UTF8_MARK = codecs.BOM_UTF8
SKIP_PIECE = 1 << 20


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
        """Rows in file order, numbered from 1. Raises InvalidFile where the array itself is broken."""
        _refuse_other_encodings(file.read(4))
        file.seek(0)
        number = 0
        try:
            for value in ijson.items(file, "item", use_float=True):
                number += 1
                yield _checked(number, value)
        except (ijson.JSONError, UnicodeDecodeError, OverflowError, ValueError) as error:
            what = str(error).splitlines()[0][:150] if str(error) else "broken"
            raise InvalidFile(f"the JSON array is broken after element {number}: {what}") from None
        if number == 0:
            file.seek(0)
            start = file.read(200).lstrip()
            if not start.startswith(b"["):
                raise InvalidFile("the body is not a JSON array; send one object a line as application/x-ndjson")

    def write(self, rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
        """One array."""
        file.write(b"[")
        for number, row in enumerate(rows):
            file.write((b",\n" if number else b"\n") + orjson.dumps(row, option=orjson.OPT_UTC_Z))
        file.write(b"\n]\n")


def _row(number: int, line: bytes) -> ReadRow:
    try:
        value = read_json(line, what="the line")
    except AppError as error:
        return ReadRow(number, None, str(error))
    if not isinstance(value, dict):
        return ReadRow(number, None, "the line is not a JSON object")
    return ReadRow(number, value)


def _checked(number: int, value: Any) -> ReadRow:
    if not isinstance(value, dict):
        return ReadRow(number, None, "the element is not a JSON object")
    try:
        text = orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError) as error:
        return ReadRow(number, None, f"the element cannot be stored: {str(error)[:100]}")
    return _row(number, text)


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
