"""What a lead looks at: is it learning, is it worth going on, what do people do."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, defer

from app.db import Annotation, Item, Prediction, Project, Round, Serving
from app.evaluation.intervals import answers_to_come
from app.services import (
    answered,
    answers,
    audit_requests,
    balance,
    costs,
    doubting,
    drift,
    filters,
    flags,
    goal,
    racing,
    robustness,
    sentences,
    slicing,
    status,
    stopping,
    tasks,
)
from app.services.access import Person, project_and_role, project_for
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
    project, role = project_and_role(session, person, project_ref, "reviewer")
    rows = (
        session.execute(
            select(Round)
            .options(defer(Round.labels))
            .where(Round.project_id == project.id)
            .order_by(Round.number.desc())
            .limit(ROUNDS_SHOWN)
        )
        .scalars()
        .all()
    )
    state = status.of_project(session, project, moment)
    question = tasks.driving(tasks.questions(session, project))
    points = curve(session, project.id, question)
    last = status.last_evaluated(session, project.id)
    drifted, drift_words = drift.shown(session, last)
    own = status.about(last, question)  # another question's model says nothing of this one's
    return {
        "status": state,
        "curve": points,
        "cost": cost_of(project, last),
        "drift": drifted,
        "robustness": ((own.metrics or {}) if own else {}).get("robustness"),
        "random": random_curve(session, project, points),
        **balance.balance(session, project, last),
        "disputed": balance.disputed(session, project, last),
        "audit_request": audit_request(session, project, own) if role == "manager" else None,
        "doubtful": len(doubting.doubtful_ids(session, project)),
        "pace": pace(session, project, None, moment),
        "stopping": stopping.shown(session, project, own, moment),
        "slices": None if (found := _slices(own)) is None else {"round": own.number if own else None, **found},
        "audit_use": project.audit_use,
        "audit_choice": project.audit_choice,
        "unanswered": ((last.metrics or {}) if last else {}).get("unanswered"),
        "how": ((own.metrics or {}) if own else {}).get("how"),
        "rounds": [brief(row) for row in rows],
        "words": {
            "accuracy": sentences.accuracy_words(session, project, state, points, own),
            "how": sentences.how_words(own, project.audit_share),
            "unanswered": sentences.unanswered_words(own),
            "error": sentences.error_words(own),
            "cost": costs.words(((last.metrics or {}) if last else {}).get("cost")),
            "drift": drift_words,
            "robustness": robustness.words(((own.metrics or {}) if own else {}).get("robustness")),
            "saved": sentences.saved_words(own),
            "slices": slicing.words(_slices(own)),
            "goal": sentences.goal_words(state),
            "loop": state["advice"]["text"],
            "strategy": sentences.strategy_words(session, project),
        },
    }


def audit_request(session: Session, project: Project, last: Round | None) -> dict[str, Any]:
    """The audit items that were asked for, and how many more answers a wide band of the accuracy needs (`needed`)."""
    accuracy = None if ((last.metrics or {}) if last else {}).get("stratum") == "imported" else status.headline(last)
    needed = answers_to_come(accuracy, sentences.how_made(last).get("ahead", 0)) if accuracy else 0
    return {**asdict(audit_requests.of_project(session, project)), "needed": needed}


def curve(session: Session, project_id: int, question: Question) -> list[dict[str, Any]]:
    """The newest rounds about a question that could be judged, oldest first: labels, hours of work (None of rounds that
    kept none), accuracy with its band, the passive twin.
    """
    parts = {name: Round.metrics[name] for name in ("accuracy", "stratum", "twin", "cost")}
    rows = session.execute(
        select(Round.number, Round.labels_count, Round.class_ids, *(part.label(name) for name, part in parts.items()))
        .where(Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
        .order_by(Round.number.desc())
        .limit(CURVE_ROUNDS)
    ).all()
    return [
        {"round": row.number, "labels": row.labels_count, "hours": (row.cost or {}).get("hours")}
        | {"accuracy": row.accuracy}
        | _judged(row)
        for row in reversed(rows)
        if row.accuracy and status.is_about(question, row.class_ids)
    ]


def cost_of(project: Project, last: Round | None) -> dict[str, Any] | None:
    """What the newest evaluated round knows of times, with today's price of an hour; None before one looked."""
    stored = ((last.metrics or {}) if last else {}).get("cost")
    return stored and {**stored, "hour_price": (project.goal or {}).get("hour_price")}


def random_curve(session: Session, project: Project, points: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The same learner taught by random answers alone: by the project's own audit answers, round by round, or in
    the demo by its simulated random annotator; None where nobody answered at random.
    """
    found = {each["twin"]["labels"]: each["twin"]["random"] for each in points if each["twin"]}
    name = "random answers alone"
    if not found and project.demo:
        found, name = racing.random_arm(session, project.id), "a random annotator, simulated"
    known = [{"labels": labels, "accuracy": accuracy} for labels, accuracy in sorted(found.items()) if accuracy]
    return {"name": name, "points": known} if known else None


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
    last = status.last_evaluated(session, project.id) if (project.goal or {}).get("accuracy") else None
    judged = status.about(last, tasks.driving(tasks.questions(session, project)))
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


def words_of(session: Session, row: Round) -> dict[str, Any]:
    """What a round's page says in sentences."""
    return {"how": sentences.how_words(row, session.get_one(Project, row.project_id).audit_share)}


def brief(row: Round) -> dict[str, Any]:
    """A row of the overview's table of rounds."""
    metrics = row.metrics and {name: row.metrics[name] for name in SHOWN_METRICS if name in row.metrics}
    return summary(row) | {"metrics": metrics}
