"""How far a project is from its goal: an accuracy, labels, hours of work, a last day, or several of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Invalid
from app.db import Annotation, Project
from app.evaluation.intervals import in_percent

HOUR = 3_600.0


@dataclass(frozen=True)
class Standing:
    """What a goal is measured by: labelled items, the estimated accuracy if any, hours of active work, days."""

    labels: int
    accuracy: Mapping[str, Any] | None
    hours: float
    began: date
    today: date


@dataclass(frozen=True)
class Part:
    """One part of a goal: `share` (0 to 1) of the way, null where it cannot be told; `words` as people read it."""

    name: str
    target: float | str
    now: float | str | None
    share: float | None
    reached: bool
    words: str


def parts(session: Session, project: Project, labels: int, accuracy: Any, moment: datetime) -> list[Part]:
    """The parts of a goal, in the order accuracy, labels, hours, cost, date; hours and cost read the answers."""
    goal = project.goal or {}
    zone = zone_of(project)
    hours = hours_spent(session, project.id) if goal.get("hours") or goal.get("cost") else 0.0
    days = project.created_at.astimezone(zone).date(), moment.astimezone(zone).date()
    return list(measured(goal, Standing(labels, accuracy, hours, *days)))


def measured(goal: Mapping[str, Any], standing: Standing) -> Iterator[Part]:
    """Each part of a goal as it stands."""
    if goal.get("accuracy"):
        yield _accuracy(goal["accuracy"], standing.accuracy)
    if goal.get("labels"):
        yield _labels(goal["labels"], standing.labels)
    if goal.get("hours"):
        yield _hours_spent(goal["hours"], standing.hours)
    if goal.get("cost") and goal.get("hour_price"):
        yield _cost(goal["cost"], standing.hours * goal["hour_price"])
    if goal.get("date"):
        yield _date(date.fromisoformat(goal["date"]), standing)


def is_over(project: Project, moment: datetime) -> bool:
    """Whether the last day that the goal names is over, in the project's own zone."""
    last = (project.goal or {}).get("date")
    return last is not None and date.fromisoformat(last) < moment.astimezone(zone_of(project)).date()


def check_day(project: Project, before: Any, moment: datetime) -> None:
    """Raise Invalid where the goal names a last day that is over, unless the goal `before` named the same."""
    last = (project.goal or {}).get("date")
    if last is not None and last != (before or {}).get("date") and is_over(project, moment):
        said = f"the last day of the goal, {_day(date.fromisoformat(last))}, is over: name a later one"
        raise Invalid(said, fields={"goal.date": "is over"})


def reached(found: Sequence[Part]) -> str | None:
    """A sentence where the first part of a goal is reached."""
    said = {
        "accuracy": lambda part: f"The goal of {100 * part.target:.4g} % is reached ({_band(part.words)})",
        "labels": lambda part: f"The goal of {part.target:,} labels is reached",
        "hours": lambda part: f"The goal of {part.target:g} hours is reached",
        "cost": lambda part: f"The budget of {part.target:,.2f} is spent",
        "date": lambda part: f"The last day of the goal, {_day(date.fromisoformat(part.target))}, is over",
    }
    first = next((part for part in found if part.reached), None)
    return None if first is None else f"{said[first.name](first)}: stop here, or set a higher goal."


def _band(words: str) -> str:
    return words.partition("(")[2].partition(")")[0]


def zone_of(project: Project) -> ZoneInfo:
    """The project's own zone, in which its days begin."""
    try:
        return ZoneInfo(project.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _accuracy(target: float, found: Mapping[str, Any] | None) -> Part:
    if found is None:
        return Part("accuracy", target, None, None, False, f"{100 * target:.4g} % right: cannot tell yet")
    low, high = in_percent(found["low"], found["high"])  # rounded outward: what is not reached does not look so
    enough = found["low"] >= target  # the whole band has to lie above it
    words = f"{100 * found['value']:.0f} % right ({low} to {high} %), goal {100 * target:.4g} %"
    return Part("accuracy", target, found["value"], None, enough, words)


def _labels(target: int, labels: int) -> Part:
    words = f"{labels:,} of {target:,} labels"
    return Part("labels", target, labels, min(1.0, labels / target), labels >= target, words)


def _hours_spent(target: float, hours: float) -> Part:
    words = f"{hours:.1f} of {target:g} hours"
    return Part("hours", target, round(hours, 2), min(1.0, hours / target), hours >= target, words)


def _cost(target: float, spent: float) -> Part:
    words = f"{spent:,.2f} of {target:,.2f} spent"
    return Part("cost", target, round(spent, 2), min(1.0, spent / target), spent >= target, words)


def _date(last: date, standing: Standing) -> Part:
    left, whole = (last - standing.today).days, max(1, (last - standing.began).days)
    share = min(1.0, max(0.0, 1 - left / whole))
    if left < 0:
        words = f"{_day(last)} is over"
    else:
        days = "the last day" if left == 0 else "1 day left" if left == 1 else f"{left:,} days left"
        words = f"{days}, until {_day(last)}" if left else f"{days}, {_day(last)}"
    return Part("date", last.isoformat(), standing.today.isoformat(), round(share, 4), left < 0, words)


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def hours_spent(session: Session, project_id: int, until: int | None = None) -> float:
    """Hours of active work on all answers that people gave here, also on those that were taken back; O(answers).

    With `until` on those up to an annotation.
    """
    spent = select(func.coalesce(func.sum(Annotation.seconds_spent), 0.0)).where(
        Annotation.project_id == project_id, Annotation.version == 1, Annotation.origin == "human"
    )
    if until is not None:
        spent = spent.where(Annotation.id <= until)
    return float(session.execute(spent).scalar_one()) / HOUR
