"""A round's judged items cut by a column that somebody names: every slice with its figures, small ones too."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.core.arrays import Booleans
from app.core.errors import Conflict, Invalid
from app.evaluation.intervals import share
from app.evaluation.slices import along
from app.services import pairs, rounds, slicing, tasks
from app.services.access import Person, standing
from app.services.comparing import record_of
from app.services.pairs import Said
from app.task_types import Question

MOST_CLASSES = 30  # whose recall each slice tells


def by_column(
    session: Session, person: Person, project_ref: int | str, number: int, column: str | None
) -> dict[str, Any]:
    """The columns that a round's judges can be cut by, and the slices by one of them (reviewers, managers).

    Of the judged items pushed last, at most 5,000. Cost: O(judged items x (columns + slices)).

    Raises:
        NotFound: there is no such round.
        Conflict: it kept no record, or no uniform sample judged it.
        Invalid: no judged item has the column.
    """
    project = standing(session, person, project_ref, "reviewer").project
    row = rounds.one(session, person, project_ref, number)
    question = tasks.driving(tasks.questions(session, project))
    found = pairs.judging(record_of(session, row), question.merged)
    if found is None:
        raise Conflict(f"no items that chance drew judged round {number}, so its slices cannot be told apart")
    stratum, judged = found
    known = {item: said for item, said in judged.items() if said.answer is not None}  # a tie judges nothing
    items = sorted(known)[-slicing.MOST_JUDGED :]
    columns = slicing.columns_of(session, project.id, items)
    report = {
        "round": number,
        "stratum": stratum,
        "judged": len(items),
        "columns": [{"name": name, "items": sum(each is not None for each in columns[name])} for name in columns],
        "column": column,
        "left_out": 0,
        "slices": [],
    }
    if column is None:
        return report
    if column not in columns:
        raise Invalid(f"no item that judged round {number} has the column", fields={"column": column})
    return report | _cut(column, columns[column], [known[each] for each in items], question)


def _cut(column: str, values: Sequence[Any], said: Sequence[Said], question: Question) -> dict[str, Any]:
    right = np.array([each.right for each in said], dtype=np.float64)
    cuts, beyond = along(right, column, values)
    slices = [
        {
            **row,
            **slicing.told(row, values),
            "classes": _recalls(said, inside, question),
        }
        for row, inside in cuts
    ]
    return {"slices": slices, "left_out": beyond}


def _recalls(said: Sequence[Said], inside: Booleans, question: Question) -> list[dict[str, Any]]:
    """What share of each class's items in the slice is found, of one look; where several may hold, nothing."""
    if question.options.get("multiple"):
        return []
    counts: dict[int, list[bool]] = {}
    for at in np.flatnonzero(inside).tolist():
        counts.setdefault(said[at].answer, []).append(bool(said[at].right))
    names: Mapping[int, str] = {each.id: each.name for each in question.classes}
    told = sorted(counts, key=lambda each: (-len(counts[each]), each))[:MOST_CLASSES]
    return [
        {"class": {"id": each, "name": names.get(each, f"class {each}")}, "recall": found.to_json()}
        for each in told
        if (found := share(sum(counts[each]), len(counts[each])))
    ]
