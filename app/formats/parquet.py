"""Parquet: typed columns in row groups."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.core.errors import AppError, InvalidFile
from app.core.text import check_json
from app.formats.base import ReadRow

BATCH = 1_000
# The columns of our exports that are not text, whatever the first rows hold.
TYPES = {
    "id": pa.int64(), "item": pa.int64(), "round": pa.int64(), "version": pa.int64(), "votes": pa.int64(),
    "priority": pa.int64(), "seconds_spent": pa.float64(), "probability": pa.float64(), "agreement": pa.float64(),
    "counted": pa.bool_(), "late": pa.bool_(), "disputed": pa.bool_(), "reserved": pa.bool_(),
}  # fmt: skip


@dataclass(frozen=True)
class Parquet:
    """A Parquet file, read and written some rows at a time."""

    name: ClassVar[str] = "parquet"
    media_type: ClassVar[str] = "application/vnd.apache.parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def read(self, file: BinaryIO, *, max_line_bytes: int) -> Iterator[ReadRow]:
        """Rows in file order, numbered from 1. Raises InvalidFile for anything that is not Parquet."""
        number = 0
        for batch in arrow_batches(file, BATCH):
            for value in objects(batch, number):
                number += 1
                yield _row(number, value)

    def write(self, rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
        """Nested values become JSON text; a column that is not one of our exports' numbers is text."""
        writer, pending = None, []
        for row in rows:
            pending.append({name: _flat(value) for name, value in row.items()})
            if len(pending) >= BATCH:
                writer = _flush(writer, pending, file)
                pending = []
        writer = _flush(writer, pending, file) if pending or writer is None else writer
        writer.close()


def arrow_batches(file: BinaryIO, rows: int) -> Iterator[Any]:
    """The columns of a file, so many rows at a time. Raises InvalidFile for anything that is not Parquet."""
    number = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=rows):
            batch.validate(full=True)
            yield batch
            number += len(batch)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # a name that is no UTF-8 is a ValueError
        raise _unreadable(number, error) from None


def objects(batch: Any, rows_before: int) -> list[dict[str, Any]]:
    """The rows of a batch as objects. Raises InvalidFile where a value is none that Python has."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise _unreadable(rows_before, error) from None
    return rows


def _unreadable(rows: int, error: Exception) -> InvalidFile:
    return InvalidFile(f"the Parquet file cannot be read after row {rows}: {str(error)[:150]}")


def _flush(writer: Any, rows: list[dict[str, Any]], file: BinaryIO) -> Any:
    if writer is None:
        names = list(rows[0]) if rows else []
        writer = pq.ParquetWriter(file, pa.schema([pa.field(name, TYPES.get(name, pa.string())) for name in names]))
    if rows:
        writer.write_table(pa.Table.from_pylist([_fitting(row, writer.schema) for row in rows], schema=writer.schema))
    return writer


def _fitting(row: dict[str, Any], schema: Any) -> dict[str, Any]:
    return {
        field.name: str(value) if pa.types.is_string(field.type) and value is not None else value
        for field in schema
        for value in (row.get(field.name),)
    }


def _flat(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _row(number: int, value: dict[str, Any]) -> ReadRow:
    plain = {name: _plain(each) for name, each in value.items()}
    try:
        return ReadRow(number, check_json(plain, what="the row"))
    except AppError as error:
        return ReadRow(number, None, str(error))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None  # Parquet writers store a missing number as NaN
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
