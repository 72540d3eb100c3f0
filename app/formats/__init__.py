"""File formats of imports and exports."""

from collections.abc import Mapping

from app.core.errors import WrongType
from app.core.plugins import entries
from app.formats.base import Format, ReadRow
from app.formats.lines import JsonArray, JsonLines
from app.formats.parquet import Parquet
from app.formats.sheets import Csv, write_csv

OWN: tuple[Format, ...] = (JsonLines(), JsonArray(), Csv(), Parquet())
FORMATS: Mapping[str, Format] = entries("formats", OWN)
ALSO = {"application/ndjson": "jsonl", "application/jsonl": "jsonl", "application/x-parquet": "parquet"}


def by_content_type(value: str) -> Format:
    """The format of a request body. Raises WrongType naming the ones that are taken."""
    plain = value.split(";")[0].strip().lower()
    for each in FORMATS.values():
        if plain == each.media_type or ALSO.get(plain) == each.name:
            return each
    raise WrongType(f"send rows as {', '.join(each.media_type for each in FORMATS.values())}")


__all__ = ["FORMATS", "Format", "ReadRow", "by_content_type", "write_csv"]
