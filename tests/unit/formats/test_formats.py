"""Formats: every row found, every broken one named, nothing held that need not be."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest

from app.core.errors import InvalidFile, WrongType
from app.formats import FORMATS, by_content_type, lines, write_csv

LIMIT = 1_000_000
ROWS: list[dict[str, Any]] = [
    {"key": "a", "text": 'with, "marks"\nand two lines', "metadata": {"n": 1}},
    {"key": "b", "text": "übel [}", "metadata": {}},
]


def read(name: str, body: bytes, limit: int = LIMIT) -> list[Any]:
    return [(row.line, row.fields or row.error) for row in FORMATS[name].read(io.BytesIO(body), max_line_bytes=limit)]


def written(name: str, rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    FORMATS[name].write(iter(rows), out)
    return out.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_what_it_wrote(name: str) -> None:
    found = [fields for _, fields in read(name, written(name, ROWS))]

    assert [row["text"] for row in found] == [row["text"] for row in ROWS]
    assert [json.loads(row["metadata"]) if isinstance(row["metadata"], str) else row["metadata"] for row in found] == [
        row["metadata"] for row in ROWS
    ]


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"csv"}))
def test_a_file_without_rows_is_read_again_as_one(name: str) -> None:
    assert read(name, written(name, [])) == []


def test_the_golden_files_stay_as_they_are() -> None:
    assert written("jsonl", ROWS[1:]) == '{"key":"b","text":"übel [}","metadata":{}}\n'.encode()
    assert written("json", [{"a": 1}, {"a": 2}]) == b'[\n{"a":1},\n{"a":2}\n]\n'
    assert written("csv", [{"a": "=1+1", "b": None}, {"a": "-2", "b": 3.5}]) == b"a,b\r\n'=1+1,\r\n'-2,3.5\r\n"


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 18])
def test_an_array_is_cut_at_its_own_commas_wherever_the_pieces_end(monkeypatch, piece: int) -> None:
    monkeypatch.setattr(lines, "READ_PIECE", piece)
    values = [{"a,]": 'x"}\\'}, {}, {"b": [1, [2, {"c": '\\"'}]]}, {"d": "é\n,"}]
    body = json.dumps(values, indent=2, ensure_ascii=False).encode()

    assert [json.loads(each or b"") for each in lines.elements(io.BytesIO(body), LIMIT)] == values


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{}", b'"a"', b"[", b'[{"a": 1}', b'[{"a":"]}', b"[{}] and more", b"[{}][{}]", b"\xff\xfe[\x00"],
)
def test_what_is_not_a_whole_array_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidFile):
        read("json", body)


def test_bad_elements_of_an_array_are_named_and_the_others_read() -> None:
    found = read("json", b'[{"a": 1}, {"a": NaN}, {"a": "\\ud800"}, 7, {"a": 99999999999999999999}, {"a": 2}]')

    assert [line for line, row in found if isinstance(row, str)] == [2, 3, 4, 5]
    assert [row for _, row in found if isinstance(row, dict)] == [{"a": 1}, {"a": 2}]


class _Endless(io.RawIOBase):
    """Two hundred megabytes of one letter, then the given end."""

    def __init__(self, start: bytes, end: bytes) -> None:
        self._pieces: Iterator[bytes] = iter([start, *[b"x" * 1_000_000] * 200, end])
        self._rest = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [("jsonl", b'{"text": "', b'"}\n{"text": "fine"}\n'), ("json", b'[{"text": "', b'"}, {"text": "fine"}]')],
)
def test_a_line_of_200_megabytes_is_passed_over_in_bounded_memory(name: str, start: bytes, end: bytes) -> None:
    source: BinaryIO = io.BufferedReader(_Endless(start, end))
    tracemalloc.start()

    found = list(FORMATS[name].read(source, max_line_bytes=LIMIT))

    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert [row.line for row in found] == [1, 2]
    assert "1,000,000 bytes" in (found[0].error or "")
    assert found[1].fields == {"text": "fine"}


def test_broken_json_on_line_500_000_is_that_lines_error() -> None:
    body = b'{"a":1}\n' * 499_999 + b'{"a":\n' + b'{"a":1}\n'

    found = [row for row in FORMATS["jsonl"].read(io.BytesIO(body), max_line_bytes=LIMIT) if row.error]

    assert [row.line for row in found] == [500_000]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_sheet_may_use_commas_semicolons_or_tabs_and_a_byte_order_mark(mark: str) -> None:
    body = f'\ufeffkey{mark}text\n1{mark}"two\nlines"\n2{mark}x\n'.encode()

    assert read("csv", body) == [(3, {"key": "1", "text": "two\nlines"}), (4, {"key": "2", "text": "x"})]


def test_a_sheet_in_another_encoding_names_line_and_encoding() -> None:
    found = read("csv", "key,text\n1,fine\n2,übel\n".encode("cp1252"))

    assert found[0] == (2, {"key": "1", "text": "fine"})
    assert found[1][0] == 3
    assert "UTF-8" in found[1][1]


def test_a_sheet_with_an_open_quotation_mark_is_refused_without_filling_the_memory() -> None:
    with pytest.raises(InvalidFile, match="line 2"):
        read("csv", b'key,text\n1,"' + b"x" * 2_000 + b"\n", limit=1_000)


def test_parquet_columns_keep_their_type_where_values_come_late() -> None:
    rows = [{"key": str(n), "probability": 0.5 if n > 1_500 else None, "round": n} for n in range(2_000)]

    found = [row for _, row in read("parquet", written("parquet", rows))]

    assert found[1_600] == {"key": "1600", "probability": 0.5, "round": 1600}
    assert found[0]["probability"] is None


def test_a_raw_sheet_keeps_every_byte_and_given_columns_stand_without_rows() -> None:
    raw, empty = io.BytesIO(), io.BytesIO()

    write_csv(iter([{"a": "=1"}]), raw, raw=True)
    write_csv(iter([]), empty, raw=True, columns=("line", "error"))

    assert raw.getvalue() == b"a\r\n=1\r\n"
    assert empty.getvalue() == b"line,error\r\n"


def test_a_content_type_finds_its_format_and_others_are_refused() -> None:
    assert by_content_type("text/CSV; charset=utf-8").name == "csv"
    with pytest.raises(WrongType):
        by_content_type("application/xml")


def test_columns_without_a_name_are_none_at_the_end_and_numbered_elsewhere():
    body = b";text ;topic;;\n0;a;x;;\n1;b;y\n2;c;z;;more\n;;;;\n"

    assert read("csv", body) == [
        (2, {"column 1": "0", "text": "a", "topic": "x"}),
        (3, {"column 1": "1", "text": "b", "topic": "y"}),
        (4, "the header names 3 columns and the row has 5"),
    ]
    with pytest.raises(InvalidFile, match='two columns are called "a"'):
        read("csv", b"a,b,a\n1,2,3\n")
