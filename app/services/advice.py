"""What the newest round advises, as far as the goal that it was weighed by is still the project's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.db import Project, Round
from app.evaluation.stopping import Terms
from app.services import goal

RESTS_ON = {  # of the terms: with others the same criterion gives another advice
    "certified": ("accuracy",),
    "budget": ("most_labels", "most_hours", "most_cost", "hour_price", "is_over"),
    "gain": ("hour_price", "point_worth"),
    "settled": ("hour_price", "point_worth"),  # that are named, decide in its place
}


def asked(project: Project, moment: datetime) -> Terms:
    """What the goal says, without what was spent so far."""
    given = project.goal or {}
    return Terms(
        accuracy=given.get("accuracy"),
        most_labels=given.get("labels"),
        most_hours=given.get("hours"),
        most_cost=given.get("cost"),
        hour_price=given.get("hour_price"),
        point_worth=given.get("point_worth"),
        is_over=goal.is_over(project, moment),
    )


def ground(because: Sequence[str], given: Terms) -> dict[str, Any]:
    """The criteria that an advice rests on, and what of the terms these rest on."""
    named = {name: getattr(given, name) for each in because for name in RESTS_ON.get(each, ())}
    return {"because": list(because)} | {name: value for name, value in named.items() if value}


def standing(project: Project, last: Round | None, moment: datetime) -> dict[str, Any] | None:
    """The advice of the newest evaluated round; None before there is one.

    It is no advice any more where it rests on a goal that was changed since.
    """
    stored: Mapping[str, Any] = ((last.metrics or {}) if last else {}).get("stopping") or {}
    if last is None or not stored:
        return None
    found: dict[str, Any] = stored["advice"]
    rests_on = stored.get("ground")
    if rests_on is None or _same_goal(rests_on, ground(found["because"], asked(project, moment))):
        return found
    text = f"The goal was changed since round {last.number}: the next round says whether to go on."
    return {"stop": False, "text": text, "because": ["goal"]}


def _same_goal(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two grounds are of one goal: a last day may pass, and comes back only where it is another one."""
    passed, is_over = then.get("is_over", False), now.get("is_over", False)
    return {**then, "is_over": None} == {**now, "is_over": None} and (is_over or not passed)
