"""What is kept of comparisons of two learners, in their jobs: ids of items and classes; of an erased item nothing."""

from sqlalchemy import select, update

from app.db import Job, WriteSession
from app.services import records

KIND = "contend"


def forget(session: WriteSession, project_id: int, item_id: int) -> None:
    """Take what was said of an erased item out of every comparison of its project."""
    rows = session.execute(select(Job).where(Job.project_id == project_id, Job.kind == KIND, Job.state == "done"))
    for job in rows.scalars():
        judged = [
            {name: records.without(each, item_id) for name, each in side.items()}
            for side in (job.result or {})["judged"]
        ]
        session.execute(update(Job).where(Job.id == job.id).values(result={**(job.result or {}), "judged": judged}))
