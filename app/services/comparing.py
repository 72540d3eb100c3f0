"""Two rounds of a project side by side: how far apart they are, what changed hands, and what they learned from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.db import Annotation, Item, Project, Round, RoundRecord
from app.evaluation.intervals import share
from app.evaluation.paired import Paired
from app.services import answered, pairs, records, rounds, tasks
from app.services.access import Person, standing
from app.services.pairs import Common, Pair
from app.task_types import Question

SHOWN = 50  # items of each kind that are named; the filter finds all
CELLS = 200  # of the matrix of what changed hands
SETTINGS = ("strategy", "learner", "featurizer", "task_version", "class_ids")
OF_PLAN = ("apart", "size", "values")


def compare(session: Session, person: Person, project_ref: int | str, first: int, second: int) -> dict[str, Any]:
    """The second round held against the first, for reviewers and managers; which items changed is for managers.

    Cost: O(judged items + sample + labels of both).

    Raises:
        NotFound: there is no such round.
        Conflict: it published nothing, or was run by a release that kept no records.
    """
    asked_by = standing(session, person, project_ref, "reviewer")
    project, manager = asked_by.project, asked_by.role == "manager"
    both = [rounds.one(session, person, project_ref, number) for number in (first, second)]
    kept = [record_of(session, each) for each in both]
    question = tasks.driving(tasks.questions(session, project))
    shared = pairs.common(kept[0], kept[1], question.merged)
    paired = paired_of(shared.pairs)
    return {
        "rounds": [_brief(each) for each in both],
        "words": words((f"round {first}", f"round {second}"), shared, paired),
        "accuracy": accuracy_of(shared, paired),
        "classes": classes_of(session, project, question, shared.pairs),
        "gained": changed(session, question, shared.gained, f"gained={first}:{second}") if manager else None,
        "lost": changed(session, question, shared.lost, f"lost={first}:{second}") if manager else None,
        "predictions": _predictions(kept, question, f"moved={first}:{second}"),
        "labels": _labels(session, both),
        "settings": _settings(both, kept),
    }


def record_of(session: Session, row: Round) -> RoundRecord:
    """What a round said; raises Conflict where that is not kept."""
    found = records.of_round(session, row.id)
    if found is None:
        why = "it published no order" if row.published_at is None else "an earlier release ran it"
        raise Conflict(f"what round {row.number} said is not kept: {why}")
    return found


def _brief(row: Round) -> dict[str, Any]:
    metrics = row.metrics or {}
    return {
        "number": row.number,
        "state": row.state,
        "labels": row.labels_count,
        "erased": row.erased,
        "strategy": row.strategy.get("ran") or row.strategy.get("name"),
        "accuracy": metrics.get("accuracy"),
        "stratum": metrics.get("stratum"),
        "published_at": row.published_at,
    }


def paired_of(given: Iterable[Pair]) -> Paired:
    """How often one side alone is right."""
    right = np.array([(each.first == each.answer, each.second == each.answer) for each in given], dtype=np.bool_)
    return Paired.of(*right.reshape(-1, 2).T)


def accuracy_of(shared: Common, paired: Paired) -> dict[str, Any] | None:
    """Both accuracies on the items of both, and their difference; None without any."""
    if not shared.pairs:
        return None
    right = [
        sum(side == each.answer for side, each in zip(sides, shared.pairs, strict=True)) for sides in _sides(shared)
    ]
    found = [share(count, paired.n) for count in right]
    return {
        "stratum": shared.stratum,
        "first": found[0] and found[0].to_json(),
        "second": found[1] and found[1].to_json(),
        "difference": paired.to_json(),
        "ties": shared.ties,
        "corrected": shared.corrected,
    }


def _sides(shared: Common) -> list[list[Any]]:
    return [[each.first for each in shared.pairs], [each.second for each in shared.pairs]]


def words(names: tuple[str, str], shared: Common, paired: Paired) -> str:
    """Which of two, by their names, is better, or that it cannot be told, in one sentence."""
    first, second = names
    if first == second:
        return f"{first[:1].upper()}{first[1:]} is held against itself: choose another one beside it."
    if not shared.pairs:
        return "No items that chance drew judged both, so which is better cannot be told."
    judges = "test items" if shared.stratum == "imported" else "audit answers"
    counted = f"{paired.gained} right that were wrong, {paired.lost} wrong that were right, of {paired.n} {judges}"
    low, high = (100 * each for each in paired.interval)
    if paired.verdict == "cannot tell":
        return f"Cannot tell yet whether {second} is better than {first}: {counted}."
    least, most = (low, high) if paired.verdict == "better" else (-high, -low)
    said = f"{second} is {paired.verdict} than {first}, by {least:.1f} to {most:.1f} points: {counted}."
    return f"{said[:1].upper()}{said[1:]}"


def classes_of(session: Session, project: Project, question: Question, given: Sequence[Pair]) -> list[dict[str, Any]]:
    """Recall of each class in both rounds and their paired difference, each of one look and one class."""
    if question.options.get("multiple"):
        return []
    rows = []
    for each in tasks.classes_of(session, project.id, retired=False, question=question.id):
        own = [pair for pair in given if pair.answer == each.number]
        paired = paired_of(own)
        recalls = [
            share(sum(getattr(pair, side) == each.number for pair in own), len(own)) for side in ("first", "second")
        ]
        rows.append(
            {
                "class": {"id": each.number, "name": each.name, "color": each.color},
                "first": recalls[0] and recalls[0].to_json(),
                "second": recalls[1] and recalls[1].to_json(),
                "difference": paired.to_json() if own else None,
            }
        )
    return rows


def changed(session: Session, question: Question, given: Sequence[Pair], filter_: str | None) -> dict[str, Any]:
    """The items that changed hands, the first fifty by name, and the filter that finds all, where there is one."""
    shown = given[:SHOWN]
    shown_ids = [each.item for each in shown]
    found = session.execute(select(Item.id, Item.key).where(answered.one_of(session, Item.id, shown_ids)))
    keys = {row.id: row.key for row in found}
    return {
        "count": len(given),
        "filter": filter_,
        "items": [
            {
                "item": each.item,
                "key": keys.get(each.item),
                "first": _named(question, each.first),
                "second": _named(question, each.second),
                "answer": _named(question, each.answer),
            }
            for each in shown
        ],
    }


def _predictions(kept: Sequence[RoundRecord], question: Question, filter_: str) -> dict[str, Any]:
    """What both rounds take the pool's fixed sample for, and from which class to which its items went."""
    first, second = (each.sample for each in kept)
    moved = pairs.moves(first, second, question.merged)
    n = pairs.sampled_by_both(first, second)
    changed = share(len(moved), n)
    several = bool(question.options.get("multiple"))
    cells = [] if several else Counter((each.first, each.second) for each in moved).most_common(CELLS)
    return {
        "items": n,
        "changed": len(moved),
        "share": changed and changed.to_json(),
        "filter": filter_,
        "moves": [
            {"from": _class(question, one), "to": _class(question, other), "count": count}
            | {"filter": f"{filter_}:{one}:{other}"}
            for (one, other), count in cells
        ],
    }


def _labels(session: Session, both: Sequence[Round]) -> dict[str, Any]:
    """How many labelled items each learned from, and answers that one has and the other lacks."""
    first, second = (set(each.labels) for each in both)
    return {
        "first": both[0].labels_count,
        "second": both[1].labels_count,
        "added": _items_of(session, second - first),
        "gone": _items_of(session, first - second),
        "filter": f"taught={both[0].number}:{both[1].number}",
        "gone_filter": f"taught={both[1].number}:{both[0].number}",
    }


def _items_of(session: Session, ids: set[int]) -> int:
    """How many items these answers are of, without those of the client's own test set and deleted ones, as in lists."""
    found = (
        select(func.count(func.distinct(Annotation.item_id)))
        .join(Item, Item.id == Annotation.item_id)
        .where(answered.one_of(session, Annotation.id, sorted(ids)), Item.split == "pool", Item.state != "deleted")
    )
    return int(session.execute(found).scalar_one())


def _settings(both: Sequence[Round], kept: Sequence[RoundRecord]) -> list[dict[str, Any]]:
    """The settings and versions that differ, each with both values."""
    sides: list[dict[str, Any]] = []
    for row, record in zip(both, kept, strict=True):
        plan: Mapping[str, Any] = record.recipe["plan"]
        side = {name: getattr(row, name) for name in SETTINGS} | {name: plan.get(name) for name in OF_PLAN}
        side["strategy"] = {"name": plan["strategy"], **plan["strategy_parameters"]}
        sides.append(side | {f"version of {name}": each for name, each in record.recipe["versions"].items()})
    first, second = sides
    return [
        {"name": name, "first": first.get(name), "second": second.get(name)}
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def _named(question: Question, said: Any) -> Any:
    """A class by its name, or several by theirs."""
    if isinstance(said, list):
        return [_named(question, each) for each in said]
    return None if said is None else _class(question, said)["name"]


def _class(question: Question, number: int) -> dict[str, Any]:
    name = next((each.name for each in question.classes if each.id == number), f"class {number}")
    return {"id": number, "name": name}
