"""What is advised after the newest round, by the goal as it is now."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Project, Round
from app.evaluation.stopping import Seen, Terms, advise, told, verdicts
from app.services import goal

ROUNDS = 4_000  # that the criteria look at, the newest ones

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


def history(session: Session, project_id: int) -> list[Seen]:
    """The rounds so far as they were seen, oldest first, the newest ones only."""
    rows = session.execute(
        select(Round.metrics["stopping"]["seen"])
        .where(Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
        .order_by(Round.number.desc())
        .limit(ROUNDS)
    ).scalars()
    return [Seen.from_json(each) for each in reversed(rows.all()) if each]


def judged(rounds: Sequence[Seen], given: Terms) -> dict[str, Any]:
    """What each criterion says after the last of the rounds, the advice with the ground that it rests on, the terms."""
    found = verdicts(rounds, given)
    said = advise(found)
    return {
        "criteria": told(found),
        "advice": {"stop": said.stop, "text": said.text, "because": list(said.because)},
        "ground": ground(said.because, given),
        "terms": asdict(given),
    }


def standing(session: Session, project: Project, last: Round | None, moment: datetime) -> Mapping[str, Any] | None:
    """What the newest evaluated round keeps of criteria and advice; None before there is one.

    Where the goal is another one by now, both are judged anew by that goal, on what was seen and spent until that
    round; O(rounds). A round of a release that kept no terms gives no advice any more where it rests on such a goal.
    """
    stored: Mapping[str, Any] = ((last.metrics or {}) if last else {}).get("stopping") or {}
    if last is None or not stored:
        return None
    of_goal = asked(project, moment)
    if "terms" not in stored:
        return {**stored, "advice": _kept(stored, last.number, of_goal)}
    then = Terms.from_json(stored["terms"])
    given = replace(of_goal, seconds=then.seconds, labels=then.labels, hours=then.hours, unlike=then.unlike)
    return stored if given == then else {**stored, **judged(history(session, project.id), given)}


def _kept(stored: Mapping[str, Any], number: int, of_goal: Terms) -> dict[str, Any]:
    found: dict[str, Any] = stored["advice"]
    rests_on = stored.get("ground")
    if rests_on is None or _same_goal(rests_on, ground(found["because"], of_goal)):
        return found
    text = f"The goal was changed since round {number}: the next round says whether to go on."
    return {"stop": False, "text": text, "because": ["goal"]}


def _same_goal(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two grounds are of one goal: a last day may pass, and comes back only where it is another one."""
    passed, is_over = then.get("is_over", False), now.get("is_over", False)
    return {**then, "is_over": None} == {**now, "is_over": None} and (is_over or not passed)
