"""What processes that died have left: temporary files, and files that were written but never named by a row."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from app.core.settings import Settings
from app.db import Database, FeatureSet, FeatureShard, Job, Media, PredictionShard, Round, Snapshot

KEPT_SECONDS = 86_400  # nothing waits for its row for longer


def sweep(db: Database, settings: Settings) -> int:
    """Delete files older than a day that no job and no row needs; how many went."""
    gone = 0
    for file in unnamed(db, settings, time.time() - KEPT_SECONDS):
        with contextlib.suppress(OSError):  # another process was faster
            file.unlink()
            gone += 1
    return gone


def unnamed(db: Database, settings: Settings, before: float) -> Iterator[Path]:
    """Files last written before a moment (seconds since 1970) that no job and no row needs."""
    for file in _candidates(db, settings):
        with contextlib.suppress(OSError):
            if file.is_file() and file.stat().st_mtime < before:
                yield file


def _candidates(db: Database, settings: Settings) -> Iterator[Path]:
    with db.read() as session:
        waiting = select(Job.payload).where(Job.state.in_(("waiting", "running")), Job.kind == "import")
        needed = {Path(payload["path"]).stem for payload in session.execute(waiting).scalars() if "path" in payload}
        needed |= {file.split(".")[0] for file in session.execute(select(Snapshot.file)).scalars() if file}
        needed |= set(session.execute(select(PredictionShard.name)).scalars())
        needed |= set(session.execute(select(FeatureShard.name)).scalars())
        models = session.execute(select(Round.model_file).where(Round.model_file.is_not(None))).scalars()
        needed |= {str(name).split(".")[0] for name in models}
        sets = set(session.execute(select(FeatureSet.version)).scalars())
    folders = {"tmp": "*", "snapshots": "*/*", "predictions": "*/*/*", "features": "*/*/*", "models": "*/*"}
    for name, below in folders.items():
        for file in (settings.data / name).glob(below):
            kept = file.name == "state" and file.parent.name in sets  # of a featurizer, beside its shards
            if not kept and file.name.split(".")[0] not in needed:
                yield file
    yield from _media(db, settings)


def _media(db: Database, settings: Settings) -> Iterator[Path]:
    """Stored files without a name; folder by folder, as there may be millions."""
    for folder in (settings.data / "media").glob("*/*"):
        if not folder.parent.name.isdigit():
            continue
        files = list(folder.iterdir())
        with db.read() as session:
            low, high = folder.name.ljust(64, "0"), folder.name.ljust(64, "g")
            mine = (Media.project_id == int(folder.parent.name), Media.sha256 >= low, Media.sha256 < high)
            named = set(session.execute(select(Media.sha256).where(*mine)).scalars())
        yield from (file for file in files if file.name not in named)
