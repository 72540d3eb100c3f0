"""CSV: what spreadsheets and databases write."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, ClassVar

import orjson

from app.core.errors import AppError, InvalidFile
from app.core.text import check_text
from app.formats.base import ReadRow

RUNS_IN_A_SPREADSHEET = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
SNIFFED = 65_536


@dataclass(frozen=True)
class Csv:
    """Comma, semicolon or tab separated values in UTF-8, with a header line."""

    name: ClassVar[str] = "csv"
    media_type: ClassVar[str] = "text/csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    def read(self, file: BinaryIO, *, max_line_bytes: int) -> Iterator[ReadRow]:
        """Rows in file order, numbered by the line they end on. Raises InvalidFile for another encoding."""
        start = file.read(SNIFFED)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in start[:200]:
            raise InvalidFile("the file is in UTF-16: save it as UTF-8")
        file.seek(0)
        csv.field_size_limit(max_line_bytes)
        reader = csv.reader(_lines(file, max_line_bytes), delimiter=_delimiter(start), strict=True)
        whole = 0  # lines of the rows so far: a fault is named by the line that its row begins on
        try:
            header = next(reader, None)
            if not header:
                raise InvalidFile("the file has no header line")
            names, whole = _names(header), reader.line_num
            for cells in reader:
                if any(cells):
                    yield _row(reader.line_num, names, cells)
                whole = reader.line_num
        except csv.Error as error:
            several = ": is a quotation mark missing?" if reader.line_num > whole + 1 else ""
            raise InvalidFile(f"line {whole + 1}: {error}{several}") from None

    def write(self, rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
        """Cells that a spreadsheet would run get a quote in front; the first row sets the columns."""
        write_csv(rows, file, raw=False)


def write_csv(
    rows: Iterator[dict[str, Any]], file: BinaryIO, *, raw: bool, columns: Sequence[str] | None = None
) -> None:
    """Write rows as they come. Nested values become JSON text; `raw` keeps every byte of a cell.

    The first row sets the columns unless they are given.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = None
    if columns is not None:
        writer = csv.DictWriter(text, list(columns), extrasaction="ignore")
        writer.writeheader()
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, list(row), extrasaction="ignore")
            writer.writeheader()
        writer.writerow({name: _cell(value, raw) for name, value in row.items()})
    text.flush()
    text.detach()


def _lines(file: BinaryIO, longest: int) -> Iterator[str]:
    """Lines as text, bounded; a byte that is not UTF-8 stays one that the cell's check finds."""
    number, first = 0, True
    while line := file.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise InvalidFile(f"line {number} has more than {longest:,} bytes: is a quotation mark missing?")
        if first:
            line, first = line.removeprefix(codecs.BOM_UTF8), False
        yield line.decode("utf-8", "surrogateescape")


def _cell(value: Any, raw: bool) -> Any:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        value = orjson.dumps(value).decode()
    if isinstance(value, str) and not raw and value.startswith(RUNS_IN_A_SPREADSHEET):
        return "'" + value
    return value


def _names(header: list[str]) -> list[str]:
    """The columns' names. What spreadsheets leave at the end without one is no column; another one gets its number."""
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise InvalidFile("the file has no header line")
    names = [name or f"column {place}" for place, name in enumerate(names, 1)]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise InvalidFile(f'two columns are called "{twice[:80]}": give each a name of its own')
    return names


def _row(line: int, names: list[str], cells: list[str]) -> ReadRow:
    if not any(cells[len(names) :]):
        cells = cells[: len(names)]
    if len(cells) != len(names):
        return ReadRow(line, None, f"the header names {len(names)} columns and the row has {len(cells)}")
    try:
        for name, cell in zip(names, cells, strict=True):
            if not cell.isascii() or "\x00" in cell:
                _check_cell(cell, name)
    except AppError as error:
        return ReadRow(line, None, str(error))
    return ReadRow(line, dict(zip(names, cells, strict=True)))


def _check_cell(cell: str, name: str) -> None:
    if any("\udc80" <= letter <= "\udcff" for letter in cell):
        raise InvalidFile(f"{name[:80]} is not UTF-8: save the file as UTF-8")
    check_text(cell, what=name[:80], limit=10_000_000)


def _delimiter(start: bytes) -> str:
    first = start.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t", key=first.count) if any(mark in first for mark in ",;\t") else ","
