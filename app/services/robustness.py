"""How robust the learner is: when that is asked for, and what is said of it."""

from typing import Any

from sqlalchemy import select

from app.db import Job, WriteSession
from app.evaluation.robustness import FEWEST
from app.services import jobs

KIND = "disturb"
GROWN = 1.25  # times as many labels as at the last look make another one


def request(session: WriteSession, project_id: int, labels: int, last: dict[str, Any] | None) -> None:
    """Ask for a look in the commit of a round, where the labels have grown enough and none waits."""
    if labels < max(FEWEST, GROWN * (last or {}).get("labels", 0)):
        return
    waiting = select(Job.id).where(
        Job.project_id == project_id, Job.kind == KIND, Job.state.in_(("waiting", "running"))
    )
    if session.execute(waiting.limit(1)).first() is None:
        jobs.enqueue(session, KIND, project_id)


def words(stored: dict[str, Any] | None) -> str | None:
    """The worst of the disturbances that surely cost something in a sentence; None before a look."""
    if not stored:
        return None
    if stored["lack"]:
        return f"How robust the model is cannot be told: {stored['lack']}."
    if not stored["kinds"]:
        return None
    sure = [each for each in stored["kinds"] if each["loss"]["low"] > 0]
    if not sure:
        return "No disturbance of the items is sure to cost accuracy."
    worst = max(sure, key=lambda each: each["loss"]["value"])
    value, low, high = (100 * worst["loss"][name] for name in ("value", "low", "high"))
    what = f"without the column {worst['column']}" if "column" in worst else f"by {worst['name']}"
    return f"Disturbed most {what}: {value:.0f} points less are right ({low:.0f} to {high:.0f})."
