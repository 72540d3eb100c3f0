"""scikit-learn's handwritten digits as pictures and items of the demo; nothing is downloaded."""

import hashlib
import io
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image
from sqlalchemy import insert, select

from app.core.arrays import AnyArray
from app.core.settings import Settings
from app.db import Annotation, Item, Media, Project, WriteSession
from app.loop.serving import audit_reserved, draw

DIGITS = 1_797
TEST_ITEMS = 300
SEED = 20_261_124
DARKEST = 16.0  # scikit-learn's digits count ink from 0 to 16


def load() -> Any:
    from sklearn.datasets import load_digits  # a second to import, and most places have no demo

    return load_digits()


def png(pixels: AnyArray) -> bytes:
    """Dark ink on white paper, 8 x 8 pixels; the page draws them as squares."""
    ink = 255 - np.round(pixels * (255 / DARKEST)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(ink, mode=None).save(out, "PNG")
    return out.getvalue()


def store_pictures(
    session: WriteSession, settings: Settings, project_id: int, pictures: Sequence[bytes], moment: datetime
) -> dict[str, int]:
    """Write the files, then their rows; the media id of every hash."""
    by_hash = {hashlib.sha256(picture).hexdigest(): picture for picture in pictures}
    folder = settings.data / "media" / str(project_id)
    for digest, picture in by_hash.items():
        _write(folder / digest[:2] / digest, picture)
    rows = [
        {
            "project_id": project_id,
            "name": f"digit-{digest[:8]}.png",
            "sha256": digest,
            "type": "image/png",
            "size": len(picture),
            "width": 8,
            "height": 8,
            "created_at": moment,
        }
        for digest, picture in by_hash.items()
    ]
    session.execute(insert(Media), rows)
    stored = session.execute(select(Media.sha256, Media.id).where(Media.project_id == project_id)).all()
    return {row.sha256: row.id for row in stored}


def _write(path: Path, content: bytes) -> None:
    """A whole file or none: written beside its place, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f"{path.name}.{uuid4().hex[:8]}")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    beside.replace(path)


def store_items(
    session: WriteSession,
    project: Project,
    media: dict[str, int],
    pictures: Sequence[bytes],
    digits: AnyArray,
    moment: datetime,
) -> None:
    test = set(np.random.default_rng(SEED).permutation(len(pictures))[:TEST_ITEMS].tolist())
    rows = [_item(project, media, picture, number, number in test, moment) for number, picture in enumerate(pictures)]
    session.execute(insert(Item), rows)
    known = session.execute(
        select(Item.id, Item.key).where(Item.project_id == project.id, Item.split == "audit").order_by(Item.id)
    ).all()
    session.execute(
        insert(Annotation), [_label(project, row.id, int(digits[number(row.key)]), moment) for row in known]
    )


def _item(
    project: Project, media: dict[str, int], picture: bytes, number: int, test: bool, moment: datetime
) -> dict[str, Any]:
    digest = hashlib.sha256(picture).hexdigest()
    key = f"digit-{number:04}"
    image = {"media": media[digest], "sha256": digest, "name": f"{key}.png", "width": 8, "height": 8}
    return {
        "project_id": project.id,
        "key": key,
        "payload": {"image": image},
        "content_hash": digest[:32],
        "fingerprint": digest[:32],
        "meta": {},
        "split": "audit" if test else "pool",
        "reserved": not test and audit_reserved(project.seed, key, project.audit_share),
        "draw": draw(project.seed, key),
        "done": test,
        "created_at": moment,
        "updated_at": moment,
    }


def is_ours(key: str) -> bool:
    return re.fullmatch(r"digit-[01]\d{3}", key) is not None and number(key) < DIGITS


def number(key: str) -> int:
    """A digit's place in scikit-learn's set."""
    return int(key.removeprefix("digit-"))


def _label(project: Project, item_id: int, digit: int, moment: datetime) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "answer_id": uuid4(),
        "item_id": item_id,
        "annotator_name": "scikit-learn",
        "origin": "import",
        "kind": "import",
        "label": {"label": {"class_id": digit + 1}},
        "created_at": moment,
    }
