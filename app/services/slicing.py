"""The columns by which a round's judged items are cut into slices, and the filter that leads to each slice."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import filters as grammar
from app.core.errors import AppError
from app.core.filters import LENGTH, METADATA
from app.db import Item, Project
from app.evaluation.metrics import hits
from app.evaluation.slices import worst
from app.loop.auditing import Answers
from app.services.records import STRATA

MOST_JUDGED = 5_000  # items whose metadata are read, the ones pushed last
MOST_NAMES = 200  # of columns that are read; the twenty that most items have are looked at
AT_ONCE = 500
SCALARS = (str, int, float, bool)


def worst_slices(
    session: Session, project_id: int, judged: Mapping[str, Answers], multiple: bool, look: int
) -> dict[str, Any] | None:
    """The worst slices by the client's own test set, or by the audit answers where there is none, as the headline.

    None where no slice is large enough. Cost: O(judged items x columns), both bounded.
    """
    stratum = next((name for name in reversed(STRATA) if name in judged), None)
    if stratum is None:
        return None
    found = judged[stratum]
    rows = np.argsort(found.items, kind="stable")[-MOST_JUDGED:]
    right = hits(found.said, found.targets, multiple)[rows]
    columns = columns_of(session, project_id, [int(each) for each in found.items[rows]])
    report = worst(right, columns, look)
    if report is None:
        return None
    slices = [{**each, **told(each, columns[each["column"]])} for each in report["worst"]]
    return {**report, "worst": slices, "stratum": stratum, "judged": len(rows)}


def told(cut: Mapping[str, Any], values: Sequence[Any]) -> dict[str, str | None]:
    """A slice in words, and the filter that finds its items, beside the values of its column.

    Where a text and a number, or a truth, are written alike, the text stands in quotation marks.
    """
    alike = "value" in cut and any(_alike(cut["value"], each) for each in values)
    quoted = alike and isinstance(cut["value"], str)
    return {"words": named(cut, quoted=quoted), "filter": filter_of(cut, alike=alike)}


def _alike(value: Any, other: Any) -> bool:
    """Whether a filter for the one finds the other too, although they are of different kinds."""
    if not isinstance(other, SCALARS) or isinstance(value, str) == isinstance(other, str):
        return False
    text, rest = (value, other) if isinstance(value, str) else (other, value)
    number = not isinstance(rest, bool) and value is text and grammar.NUMBER.fullmatch(text)
    return bool(text == _text(rest) or (number and float(text) == rest))


def filter_of(cut: Mapping[str, Any], *, alike: bool = False) -> str | None:
    """The filter that finds a slice's items; None for a name that no filter can be written for.

    A value that another one of its column is written like is found by a comparison where it is a number, else by none.
    """
    column = cut["column"]
    if alike and isinstance(cut["value"], str | bool):
        return None
    name = column if column == LENGTH else METADATA + column
    if cut.get("missing"):
        parts = [f"missing={quote(column, safe='')}"]
    elif alike:
        parts = [f"{quote(name, safe='')}{sign}{quote(_text(cut['value']), safe='')}" for sign in (":>=", ":<=")]
    elif "value" in cut:
        parts = [f"{quote(name, safe='')}={quote(_text(cut['value']), safe='')}"]
    else:
        ends = ((":>=", cut["low"]), (":<", cut["high"]))
        parts = [f"{quote(name, safe='')}{sign}{quote(_text(end), safe='')}" for sign, end in ends if end is not None]
    text = "&".join(parts)
    try:
        grammar.parse(text)
    except AppError:
        return None
    return text


def words(report: Mapping[str, Any] | None) -> str | None:
    """Where the model is worst in one sentence, or that it cannot be told yet; None without slices."""
    if report is None:
        return None
    judges = "test items" if report["stratum"] == "imported" else "audit answers"
    if not report["worst"]:
        return f"No slice of the metadata is behind the rest: {report['looked_at']} looked at."
    first = report["worst"][0]
    said = (
        f"{first.get('words') or named(first)}: "
        f"{first['accuracy']['n'] - first['wrong']} of {first['accuracy']['n']} {judges} right, "
        f"{100 * first['rest']['value']:.0f} % of the {first['rest']['n']:,} others"
    )
    if report["likely"] == 0:
        return f"No slice is worse beyond chance among {report['looked_at']} looked at; lowest is {said}."
    which, count = ("Worse", report["worse"]) if report["worse"] else ("Likely worse", report["likely"])
    more = f" {count - 1} more {'is' if count == 2 else 'are'} {which.lower()} too." if count > 1 else ""
    return f"{which} than the rest: {said}.{more}"


def named(cut: Mapping[str, Any], *, quoted: bool = False) -> str:
    """A slice in words, a text in quotation marks where that is asked."""
    column = "length of the text" if cut["column"] == LENGTH else cut["column"] or '""'
    if cut.get("missing"):
        return f"{column} is missing"
    if "value" in cut:
        value = _text(cut["value"])
        return f'{column} is "{value}"' if quoted else f"{column} is {value}"
    if cut["low"] is None:
        return f"{column} below {_text(cut['high'])}"
    return f"{column} from {_text(cut['low'])}" + ("" if cut["high"] is None else f" to below {_text(cut['high'])}")


def columns_of(session: Session, project_id: int, ids: list[int]) -> dict[str, list[Any]]:
    """Values by column, one for each item in their order; nested values and long texts are there, but no category."""
    text = session.get_one(Project, project_id).modality == "text"
    columns: dict[str, list[Any]] = {LENGTH: [None] * len(ids)} if text else {}
    place = {item: at for at, item in enumerate(ids)}
    for start in range(0, len(ids), AT_ONCE):
        statement = select(Item.id, Item.meta, Item.payload).where(Item.id.in_(ids[start : start + AT_ONCE]))
        for row in session.execute(statement):
            if text:
                columns[LENGTH][place[row.id]] = len(row.payload.get("text", ""))
            for name, value in row.meta.items():
                if name not in columns and len(columns) < MOST_NAMES and name != LENGTH:
                    columns[name] = [None] * len(ids)
                if name in columns and name != LENGTH:
                    columns[name][place[row.id]] = value if isinstance(value, SCALARS) or value is None else ()
    return columns


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
