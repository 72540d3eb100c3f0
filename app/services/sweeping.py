"""What processes that died have left in the folders of temporary files and of snapshots."""

import contextlib
import time
from pathlib import Path

from sqlalchemy import select

from app.core.settings import Settings
from app.db import Database, Job, Snapshot

KEPT_SECONDS = 86_400  # nothing is written to a temporary file for longer


def sweep(db: Database, settings: Settings) -> int:
    """Delete files older than a day that no job and no snapshot needs; how many went."""
    with db.read() as session:
        waiting = select(Job.payload).where(Job.state.in_(("waiting", "running")), Job.kind == "import")
        needed = {Path(payload["path"]).stem for payload in session.execute(waiting).scalars() if "path" in payload}
        needed |= {file.split(".")[0] for file in session.execute(select(Snapshot.file)).scalars() if file}
    before = time.time() - KEPT_SECONDS
    gone = 0
    for file in (*(settings.data / "tmp").glob("*"), *(settings.data / "snapshots").glob("*/*")):
        with contextlib.suppress(OSError):  # another process was faster
            if file.name.split(".")[0] not in needed and file.is_file() and file.stat().st_mtime < before:
                file.unlink()
                gone += 1
    return gone
