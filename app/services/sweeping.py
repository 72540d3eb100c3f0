"""What processes that died have left in the folders of temporary files, of snapshots and of pushed predictions."""

import contextlib
import time
from pathlib import Path

from sqlalchemy import select

from app.core.settings import Settings
from app.db import Database, Job, PredictionShard, Snapshot

KEPT_SECONDS = 86_400  # nothing is written to a temporary file for longer


def sweep(db: Database, settings: Settings) -> int:
    """Delete files older than a day that no job, no snapshot and no version of predictions needs; how many went."""
    with db.read() as session:
        waiting = select(Job.payload).where(Job.state.in_(("waiting", "running")), Job.kind == "import")
        needed = {Path(payload["path"]).stem for payload in session.execute(waiting).scalars() if "path" in payload}
        needed |= {file.split(".")[0] for file in session.execute(select(Snapshot.file)).scalars() if file}
        needed |= set(session.execute(select(PredictionShard.name)).scalars())
    before = time.time() - KEPT_SECONDS
    gone = 0
    folders = {"tmp": "*", "snapshots": "*/*", "predictions": "*/*/*"}
    for file in (file for name, below in folders.items() for file in (settings.data / name).glob(below)):
        with contextlib.suppress(OSError):  # another process was faster
            if file.name.split(".")[0] not in needed and file.is_file() and file.stat().st_mtime < before:
                file.unlink()
                gone += 1
    return gone
