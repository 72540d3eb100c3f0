"""Answers to look at again: what a round thought of labelled items without their answers, and which still differ."""

from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.core.arrays import Indices
from app.db import Item, Prediction, Project, Round, Serving
from app.loop.doubts import Opinions
from app.loop.propose import Labelled
from app.services import answered, consensus, tasks


def entries(round_id: int, labelled: Labelled, found: Opinions, sample_ids: Indices) -> list[dict[str, Any]]:
    """Rows of `predictions` for what a round thinks of the items that it learned from.

    Those of its sample, which more people are to answer, are in the table already.
    """
    known = np.isin(labelled.ids[found.rows, 0], sample_ids[:, 0])
    return [
        {
            "round_id": round_id,
            "item_id": int(labelled.ids[row, 0]),
            "unit": int(labelled.ids[row, 1]),
            "probabilities": [round(float(value), 5) for value in said],
            "doubted": bool(doubted),
        }
        for row, said, doubted, there in zip(found.rows, found.probabilities, found.doubted, known, strict=True)
        if not there
    ]


def doubtful(session: Session, project: Project) -> ColumnElement[bool]:
    """Whether an item's label is one to look at again."""
    return answered.one_of(session, Item.id, doubtful_ids(session, project))


def doubtful_ids(session: Session, project: Project) -> list[int]:
    """Items whose label the current round doubts, as long as it is the same one and no manager has said what it is.

    Reads at most the thousand opinions that a round keeps, and the answers of the doubted ones.
    """
    rows = session.execute(
        select(Prediction.item_id, Prediction.probabilities, Round.class_ids)
        .join(Serving, Serving.round_id == Prediction.round_id)
        .join(Round, Round.id == Prediction.round_id)
        .join(Item, Item.id == Prediction.item_id)
        .where(Serving.project_id == project.id, Prediction.doubted, Prediction.unit == 0)
        .where(Item.state == "open", Item.split == "pool", Item.done)
    ).all()
    asked = tasks.questions(session, project)
    question = tasks.driving(asked)
    answers = consensus.answers_of(session, [row.item_id for row in rows])
    found = []
    for row in rows:
        given = answers.get(row.item_id, [])
        label = consensus.of(given, asked).label
        if label is None or any(each.decisive for each in given):
            continue
        thought = tasks.likely(question, tasks.opinion(question, row.class_ids, row.probabilities))[0]
        if label.get(question.id) != thought:
            found.append(row.item_id)
    return found
