"""Items as a scorer reads them: JSON texts of keys and content, files in base64, some at a time and within bounds.

Files travel inside the request: a link would need an address of this service that the scorer can reach, and would be
good for whoever finds it in a log.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.core.arrays import Indices
from app.core.settings import Settings
from app.core.text import write_json
from app.db import Item, Media
from app.modalities import files
from app.services import media

CONTENT_BYTES = 8_000_000  # of one request; an item that is larger goes alone
LARGEST_FILE = 20_000_000  # larger ones are not sent, and keep their places


@dataclass(frozen=True)
class Batch:
    """Items for one request: their keys, identities (n, 3) and JSON texts; `taken` ids were looked at for it."""

    keys: list[str]
    ids: Indices
    texts: list[bytes]
    taken: int


def batch_of(session: Session, settings: Settings, wanted: Sequence[int]) -> Batch:
    """The open ones among some items, in their order, until the request is full; those without a file are left out."""
    rows = session.execute(
        select(Item.id, Item.project_id, Item.key, Item.payload, Item.revision)
        .where(Item.id.in_([int(each) for each in wanted]), Item.state == "open")
        .order_by(Item.id)
    ).all()
    known = {row.id: row for row in rows}
    types = types_of(session, rows)
    keys: list[str] = []
    ids: list[tuple[int, int, int]] = []
    texts: list[bytes] = []
    size = taken = 0
    for number in wanted:
        row = known.get(int(number))
        shown = None if row is None else content(settings, row.project_id, row.payload, types)
        text = None if row is None or shown is None else write_json({"key": row.key, **shown}).encode()
        if text is not None and texts and size + len(text) > CONTENT_BYTES:
            break
        taken += 1
        if row is not None and text is not None:
            keys.append(row.key)
            ids.append((row.id, 0, row.revision))
            texts.append(text)
            size += len(text)
    return Batch(keys, np.array(ids, dtype=np.int64).reshape(-1, 3), texts, taken)


def content(settings: Settings, project_id: int, payload: dict[str, Any], types: dict[int, str]) -> (
    dict[str, Any] | None
):  # fmt: skip
    """An item's content with the bytes of its file; None where that is not here or too large."""
    found = files.file_in(payload)
    if found is None:
        return payload
    field, held = found
    path = media.whole_path(settings, project_id, held.get("sha256"))
    try:
        if path is None or path.stat().st_size > LARGEST_FILE:
            return None
        inside = path.read_bytes()
    except OSError:
        return None
    kind = types.get(held.get("media", 0))
    return {field: {"name": held.get("name"), "type": kind, "bytes": base64.b64encode(inside).decode()}}


def types_of(session: Session, rows: Sequence[Row[Any]]) -> dict[int, str]:
    """The content type of each file that the rows show, by its number."""
    shown = [found[1]["media"] for row in rows if (found := files.file_in(row.payload)) and "media" in found[1]]
    if not shown:
        return {}
    known = session.execute(select(Media.id, Media.type).where(Media.id.in_(shown))).all()
    return {row.id: row.type for row in known}
