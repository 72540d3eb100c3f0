"""Is it worth going on? What the newest round measured, weighed by the criteria, and what follows for the project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.arrays import Floats, Indices
from app.db import Annotation, Prediction, Project, Round, Serving, WriteSession
from app.db.session import now
from app.evaluation.stopping import CRITERIA, Seen, Terms, signals
from app.services import advice, audit, goal, outbox, status

TIMES = 2_000  # of the newest answers, for their mean
DIALS = ("settled", "curve", "certified")  # what the overview shows beside the advice, others below them


@dataclass(frozen=True)
class Before:
    """What the round before this one said of its sample: items (n,), probabilities (n, c) by the same classes."""

    items: Indices
    probabilities: Floats


def before(session: Session, project_id: int, class_ids: list[int]) -> Before | None:
    """What the served round says of its sample, read before the next order takes its place; None for other classes."""
    served = session.execute(
        select(Round.id, Round.class_ids)
        .join(Serving, Serving.round_id == Round.id)
        .where(Serving.project_id == project_id)
    ).first()
    if served is None or served.class_ids != class_ids:
        return None
    rows = session.execute(
        select(Prediction.item_id, Prediction.probabilities).where(
            Prediction.round_id == served.id, Prediction.unit == 0
        )
    ).all()
    if not rows:
        return None
    return Before(np.array([row.item_id for row in rows]), np.array([row.probabilities for row in rows], np.float32))


def seen(labels: int, ids: Indices, now: Floats | None, last: Before | None, multiple: bool) -> Seen:
    """The round as the criteria see it, by the items (n, 3) that both samples have."""
    if now is None:
        return Seen(labels)
    if last is None:
        return signals(labels, now, None, multiple)
    _, mine, theirs = np.intersect1d(ids[:, 0], last.items, return_indices=True)
    both = signals(labels, now[mine], last.probabilities[theirs], multiple)
    whole = signals(labels, now, None, multiple)
    return replace(both, uncertainty=whole.uncertainty, most_uncertain=whole.most_uncertain)


def judged(round_: Seen, accuracy: dict[str, Any] | None) -> Seen:
    """The same with the headline's accuracy."""
    if accuracy is None:
        return round_
    return replace(round_, accuracy=accuracy["value"], low=accuracy["low"], high=accuracy["high"], judges=accuracy["n"])


def terms(session: Session, project: Project, moment: datetime) -> Terms:
    """What the project says about worth, and what its answers took so far; O(answers)."""
    taken = select(Annotation.seconds_spent).where(
        Annotation.project_id == project.id,
        Annotation.version == 1,
        Annotation.origin == "human",
        Annotation.seconds_spent > 0,
    )
    times = session.execute(taken.order_by(Annotation.id.desc()).limit(TIMES)).scalars().all()
    return replace(
        advice.asked(project, moment),
        seconds=project.overlap * float(np.mean(times)) if times else None,
        labels=status.item_counts(session, project.id)["answered"],
        hours=goal.hours_spent(session, project.id),
    )


def weighed(rounds: Sequence[Seen], given: Terms, last: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a round keeps: how it was seen, what `advice.judged` says, and the grounds that the project stopped on by
    itself so far, which the round before, `last`, kept.

    A round of a release that kept none is taken to have stopped the project where it advised it.
    """
    earlier = (last or {}).get("advice") or {"stop": False}
    stopped = [advice.ground(earlier["because"], given)] if earlier["stop"] else []
    return {
        "seen": rounds[-1].to_json(),
        **advice.judged(rounds, given),
        "stopped": (last or {}).get("stopped", stopped),
    }


def decided(project: Project, found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a project that is to stop by itself does, and the grounds on which it has: on each one once.

    So whoever opens it again is not stopped by the same advice a second time, but by another one, or by the same for
    another goal. What was advised while the project did not stop by itself, or was not open, has stopped nothing.
    """
    new = found["advice"]["stop"] and found["ground"] not in found["stopped"]
    pauses = bool(new and (project.goal or {}).get("stops") and project.state == "open")
    return {"pauses": pauses, "stopped": [*found["stopped"], *([found["ground"]] if pauses else [])]}


def act(session: WriteSession, project: Project, said: dict[str, Any]) -> None:
    """Pause a project by itself, and say so."""
    project.state = "paused"
    project.version += 1
    project.updated_at = now(session)
    audit.record(session, "project.stopped", None, project_id=project.id, because=said["because"])
    if outbox.is_heard(session, project.id, "goal.reached"):
        outbox.goal_reached(session, project, said["text"])


def shown(session: Session, project: Project, last: Round | None, moment: datetime) -> dict[str, Any] | None:
    """The advice after the newest evaluated round with every criterion, the dials first; None before there is one."""
    found = advice.standing(session, project, last, moment)
    if last is None or found is None:
        return None
    order = {name: place for place, name in enumerate((*DIALS, *CRITERIA))}
    criteria = sorted(found["criteria"], key=lambda each: order.get(each["name"], len(order)))
    return {
        **found["advice"],
        "round": last.number,
        "dials": [each for each in criteria if each["name"] in DIALS],
        "others": [each for each in criteria if each["name"] not in DIALS],
    }
