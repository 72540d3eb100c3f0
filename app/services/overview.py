"""What a lead looks at: is it learning, is it worth going on, what do people do."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, defer

from app.db import Annotation, Item, Prediction, Project, Round, Serving
from app.evaluation.intervals import in_words
from app.evaluation.saved import Saved
from app.loop.evaluate import FEWEST_AUDIT
from app.loop.named import Named
from app.services import (
    answered,
    answers,
    balance,
    costs,
    demo,
    doubting,
    drift,
    filters,
    flags,
    goal,
    robustness,
    simulations,
    slicing,
    status,
    stopping,
    tasks,
)
from app.services.access import Person, project_for
from app.task_types.base import Question

CURVE_ROUNDS = 500
ROUNDS_SHOWN = 50
TIMED = 2_000  # answers that the median seconds are of
SHOWN_METRICS = (
    "accuracy",
    "macro_f1",
    "mean_absolute_error",
    "stratum",
    "reason",
    "how",
)  # confusion and calibration are each round's own
WALL_MOST = 400


def overview(session: Session, person: Person, project_ref: int | str, moment: datetime) -> dict[str, Any]:
    """Curve, balance, pace and rounds of a project, for reviewers and managers."""
    project = project_for(session, person, project_ref, "reviewer")
    rows = session.execute(
        select(Round)
        .options(defer(Round.labels))
        .where(Round.project_id == project.id)
        .order_by(Round.number.desc())
        .limit(ROUNDS_SHOWN)
    ).scalars()
    state = status.of_project(session, project, moment)
    points = curve(session, project.id)
    last = status.last_evaluated(session, project.id)
    return {
        "status": state,
        "curve": points,
        "cost": cost_of(project, last),
        "drift": drift_of(last),
        "robustness": ((last.metrics or {}) if last else {}).get("robustness"),
        "random": random_curve(session, project, points),
        **balance.balance(session, project, last),
        "disputed": balance.disputed(session, project, last),
        "doubtful": len(doubting.doubtful_ids(session, project)),
        "pace": pace(session, project, None, moment),
        "stopping": stopping.shown(last),
        "slices": None if (found := _slices(last)) is None else {"round": last.number if last else None, **found},
        "audit_use": project.audit_use,
        "how": ((last.metrics or {}) if last else {}).get("how"),
        "rounds": [brief(row) for row in rows],
        "words": {
            "accuracy": accuracy_words(project, state, points),
            "how": how_words(last),
            "error": error_words(last),
            "cost": costs.words(((last.metrics or {}) if last else {}).get("cost")),
            "drift": drift.words(((last.metrics or {}) if last else {}).get("drift")),
            "robustness": robustness.words(((last.metrics or {}) if last else {}).get("robustness")),
            "saved": saved_words(last, apart=project.audit_use == "apart"),
            "slices": slicing.words(_slices(last)),
            "goal": goal_words(state),
            "loop": state["advice"]["text"],
            "strategy": strategy_words(session, project),
        },
    }


def curve(session: Session, project_id: int) -> list[dict[str, Any]]:
    """The newest rounds that could be judged, oldest first: labels, hours of work (None of rounds that kept none),
    accuracy with its band, the passive twin.
    """
    parts = {name: Round.metrics[name] for name in ("accuracy", "stratum", "twin", "cost")}
    rows = session.execute(
        select(Round.number, Round.labels_count, *(part.label(name) for name, part in parts.items()))
        .where(Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
        .order_by(Round.number.desc())
        .limit(CURVE_ROUNDS)
    ).all()
    return [
        {"round": row.number, "labels": row.labels_count, "hours": (row.cost or {}).get("hours")}
        | {"accuracy": row.accuracy}
        | _judged(row)
        for row in reversed(rows)
        if row.accuracy
    ]


def cost_of(project: Project, last: Round | None) -> dict[str, Any] | None:
    """What the newest evaluated round knows of times, with today's price of an hour; None before one looked."""
    stored = ((last.metrics or {}) if last else {}).get("cost")
    return stored and {**stored, "hour_price": (project.goal or {}).get("hour_price")}


def drift_of(last: Round | None) -> dict[str, Any]:
    """Whether new items look unlike the earlier ones by the newest evaluated round, and how many are behind that."""
    found = ((last.metrics or {}) if last else {}).get("drift") or {}
    return {"alarm": bool(found.get("alarm")), "items": len(found.get("items", ()))}


def random_curve(session: Session, project: Project, points: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The same learner taught by random answers alone: by the project's own audit answers, round by round, or in
    the demo by its simulated random annotator; None where nobody answered at random.
    """
    found = {each["twin"]["labels"]: each["twin"]["random"] for each in points if each["twin"]}
    name = "random answers alone"
    if not found and project.demo:
        found, name = demo.random_arm(session, project.id), "a random annotator, simulated"
    known = [{"labels": labels, "accuracy": accuracy} for labels, accuracy in sorted(found.items()) if accuracy]
    return {"name": name, "points": known} if known else None


def accuracy_words(project: Project, state: dict[str, Any], points: list[dict[str, Any]]) -> str:
    """How good the model is, or why nobody can tell and what to do about it."""
    accuracy, answers = state["audit"]["accuracy"], state["audit"]["answers"]
    own = bool(state["items"]["test"])
    if state["no_learner"] is not None:
        return str(state["no_learner"])
    if accuracy is not None:
        of_own = bool(points) and points[-1]["stratum"] == "imported"
        return in_words(accuracy, "test items" if of_own else "audit answers")
    if own or answers >= FEWEST_AUDIT:
        return "Cannot tell yet: the curve begins with the first round that has labels of two classes."
    if project.audit_share == 0:
        return "Nothing judges the model: the audit share is 0. Set one, or import rows with a label and split audit."
    return f"Cannot tell yet: {answers} of the {FEWEST_AUDIT} audit answers that the curve begins with."


def how_words(last: Round | None) -> str | None:
    """How the accuracy was estimated where it is more than counted, or why it is not; None where it is just counted."""
    how = ((last.metrics or {}) if last else {}).get("how") or {}
    said = []
    if how.get("choice") == "active":
        silent = f", {how['unanswered']} of them without an answer" if how["unanswered"] else ""
        said.append(
            f"Each answer is weighed by the chance with which its item was drawn: {how['drawn']:,} of "
            f"{how['audit_set']:,} audit items{silent}."
        )
    if how.get("unheard"):
        said.append(f"{how['unheard']:,} audit items came in too late to be spoken of yet.")
    if how.get("estimate") == "prediction_powered":
        heeded = (
            f"heeded by {100 * how['factor']:.0f} %" if how["factor"] else "which tells nothing about the answers here"
        )
        said.append(f"What the model expects of the other audit items corrects it, {heeded}.")
    if how.get("why"):
        said.append(f"{how['why'][0].upper()}{how['why'][1:]}.")
    return " ".join(said) or None


def error_words(last: Round | None) -> str | None:
    """How far a rating's suggestions lie from the answers; None where the driving question is no rating."""
    found = ((last.metrics or {}) if last else {}).get("mean_absolute_error")
    if found is None:
        return None
    return f"Off by {found['value']:.2g} on the mean (between {found['low']:.2g} and {found['high']:.2g})"


def saved_words(last: Round | None, *, apart: bool) -> str | None:
    """Whether choosing saves labels, with its interval, or that nobody can tell yet; None without audit answers.

    That it cost labels is said only where audit answers are kept `apart`: a choice that knows them asks nothing near
    them, so that on them its learner looks worse than it is.
    """
    metrics = (last.metrics or {}) if last else {}
    found = Saved.from_json(metrics.get("saved"))
    if metrics.get("audit") is None or last is None:
        return None
    if (metrics.get("how") or {}).get("choice") == "active":
        return "Audit items are chosen, so no random answers say whether choosing saves labels."
    if found.labels is None:
        return "Cannot tell yet whether choosing saves labels: too few audit answers compare it with random ones."
    level = f"what {found.labels:,} random labels teach (round {found.round})"
    low, high = found.low, found.high or 0
    if low is not None and low > 0:
        return f"Choosing saved {low:,} to {high:,} labels on the way to {level}."
    if high < 0 and not apart:
        return "Cannot tell yet whether choosing saves labels: on these audit answers it did not."
    if high < 0:
        return f"Choosing cost {-high:,} labels or more on the way to {level}."
    worst = "none" if low == 0 else f"{-(low or 0):,} lost"
    return f"Cannot tell yet whether choosing saves labels: {worst} to {high:,} saved on the way to {level}."


def strategy_words(session: Session, project: Project) -> str | None:
    """Which simulation the strategy comes from, and how to undo that; None for a strategy that people chose."""
    found = simulations.in_force(session, project)
    if found is None:
        return None
    number, moment = found
    named = Named.of(project.strategy).title
    return (
        f"{named} was chosen by simulation {number} on {moment:%d %B}: choose Automatic in the settings to undo that."
    )


def summary(row: Round) -> dict[str, Any]:
    """One row of the table of rounds."""
    return {
        "number": row.number,
        "state": row.state,
        "labels": row.labels_count,
        "erased": row.erased,  # items that it learned from and that were erased since
        "strategy": row.strategy.get("ran") or row.strategy.get("name"),
        "model": " ".join(str(row.learner[part]) for part in ("model", "version") if part in row.learner) or None,
        "sentence": row.sentence,
        "fallback": row.fallback,
        "reason": row.reason,
        "metrics": row.metrics,
        "seconds": row.seconds,
        "published_at": row.published_at,
    }


def progress(session: Session, person: Person, project_ref: int | str, moment: datetime) -> dict[str, Any]:
    """One's own pace and last answers, the project's progress and its round, for the annotate page."""
    project = project_for(session, person, project_ref)
    recent = answers.recent(session, person, project.id)
    counts = status.item_counts(session, project.id)
    judged = status.last_evaluated(session, project.id) if (project.goal or {}).get("accuracy") else None
    parts = goal.parts(session, project, counts["answered"], status.headline(judged), moment)
    published = select(Round.number).join(Serving, Serving.round_id == Round.id)
    return {
        "version": project.version,
        "mine": pace(session, project, person.id, moment),
        "round": session.execute(published.where(Serving.project_id == project.id)).scalar_one_or_none(),
        "project": {
            "answered": counts["answered"],
            "open": counts["open"],
            "total": counts["total"] - counts["test"],
            "goal": project.goal,
            "goal_parts": [asdict(part) for part in parts],
        },
        "notes": [asdict(each) for each in flags.of_person(session, person, project.id)],
        "recent": [
            {
                "annotation": each.id,
                "item": each.item,
                "key": each.key,
                "lease": each.lease,
                "label": each.label,
                "created_at": each.created_at,
            }
            for each in recent
        ],
    }


def pace(session: Session, project: Project, annotator_id: int | None, moment: datetime) -> dict[str, Any]:
    """Answers today and on the last seven days, in the project's zone, with the items they are of; median seconds.

    An answer belongs to the day of its first version; one that was taken back is none. O(answers of the week); the
    median is that of its newest 2,000.
    """
    zone = goal.zone_of(project)
    today = moment.astimezone(zone).date()
    week = [today - timedelta(days=back) for back in range(6, -1, -1)]
    starts = [datetime.combine(day, time.min, zone) for day in week]
    given = [Annotation.project_id == project.id, Annotation.created_at >= starts[0]]
    given += [answered.first_of_a_person(Annotation), ~answered.taken_back_in(project.id, Annotation)]
    if annotator_id is not None:
        given.append(Annotation.annotator_id == annotator_id)
    # The last that holds comes first: an answer belongs to the latest day that had begun.
    day = case(*((Annotation.created_at >= start, place) for place, start in reversed(list(enumerate(starts)))))
    gone = select(Item.id).where(Item.project_id == project.id, Item.state == "deleted")
    items = func.count(func.distinct(case((Annotation.item_id.not_in(gone), Annotation.item_id))))
    counted = session.execute(select(day, func.count(), items).where(*given).group_by(day))
    by_day = {place: (answers_, items_) for place, answers_, items_ in counted}
    counts = [by_day.get(place, (0, 0)) for place in range(len(week))]
    newest = select(Annotation.seconds_spent).where(*given, Annotation.seconds_spent > 0)
    seconds = sorted(session.execute(newest.order_by(Annotation.created_at.desc()).limit(TIMED)).scalars())
    return {
        "today": counts[-1][0],
        "last_7_days": [
            {"day": each.isoformat(), "answers": answers_, "items": items_}
            for each, (answers_, items_) in zip(week, counts, strict=True)
        ],
        "items_7_days": session.execute(select(items).where(*given)).scalar_one(),
        "total": sum(answers_ for answers_, _ in counts),
        "seconds_median": round(seconds[len(seconds) // 2], 1) if seconds else None,
    }


def goal_words(state: dict[str, Any]) -> str:
    """The progress against the goal in a sentence, always with the number of labels."""
    said = [part["words"] for part in state["goal_parts"]]
    counted = any(part["name"] == "labels" for part in state["goal_parts"])
    return "; ".join(said if counted else [f"{state['items']['answered']:,} labels", *said])


def wall(session: Session, person: Person, project_ref: int | str, count: int) -> dict[str, Any]:
    """Items of the fixed random sample that nobody has answered yet, in piles by predicted class."""
    project = project_for(session, person, project_ref, "reviewer")
    serving = session.execute(select(Serving).where(Serving.project_id == project.id)).scalar_one()
    current = session.get(Round, serving.round_id) if serving.round_id else None
    question = tasks.driving(tasks.questions(session, project))
    classes = tasks.classes_of(session, project.id, retired=False, question=question.id)
    piles: dict[int, list[dict[str, Any]]] = {each.number: [] for each in classes}
    totals = Counter[int]()
    if current is not None:
        rows = session.execute(
            select(Item.id, Item.key, Item.payload, Prediction.probabilities)
            .join(Prediction, Prediction.item_id == Item.id)
            .where(Prediction.round_id == current.id, ~Item.done, Item.state == "open", Item.split == "pool")
            .order_by(Item.draw)
            .limit(min(count, WALL_MOST))
        ).all()
        for row in rows:
            share, number = tasks.opinion(question, current.class_ids, row.probabilities)[0]
            pile = piles.get(number)
            if pile is not None:
                shown = {"id": row.id, "key": row.key, "payload": row.payload}
                pile.append(shown | {"probability": round(share, 3)})
        totals = _predicted_open(session, question, current)
    return {
        "round": current.number if current else None,
        "modality": project.modality,
        "piles": [
            {
                "class": {"id": each.number, "name": each.name, "color": each.color},
                "items": piles[each.number],
                "total": totals[each.number],
            }
            for each in classes
        ],
    }


def _predicted_open(session: Session, question: Question, current: Round) -> Counter[int]:
    """How many open items a round takes for each class, of those that it has an opinion of."""
    known = filters.predicted(current.id)
    rows = session.execute(
        select(known.c.probabilities, known.c.best)
        .join(Item, Item.id == known.c.item_id)
        .where(Item.state == "open", ~Item.done, Item.split == "pool", known.c.best.is_not(None))
    ).all()
    found = Counter[int]()
    for row in rows:
        pairs = zip(current.class_ids, row.probabilities, strict=False)
        found.update({question.merged.get(number, number) for number, share in pairs if share >= row.best})
    return found


def _judged(row: Any) -> dict[str, Any]:
    """Stratum and twin of a point; a twin without a random arm tells nothing."""
    twin = row.twin if row.twin and row.twin.get("random") else None
    return {"stratum": row.stratum, "twin": twin}


def _slices(last: Round | None) -> dict[str, Any] | None:
    return ((last.metrics or {}) if last else {}).get("slices")


def brief(row: Round) -> dict[str, Any]:
    """A row of the overview's table of rounds."""
    metrics = row.metrics and {name: row.metrics[name] for name in SHOWN_METRICS if name in row.metrics}
    return summary(row) | {"metrics": metrics}
