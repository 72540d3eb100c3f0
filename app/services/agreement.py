"""How often each person's answers are the same as others' to the same items: managers', known labels', colleagues'.

Answers are the same where their distance is 0. Of each person the own last answer counts, also one that came too late
for its place; what was taken back, and what was given to earlier content, does not.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Annotation, Item, Project
from app.evaluation.intervals import share
from app.services import answered, tasks

Label = dict[str, Any]


@dataclass
class Compared:
    """How many comparisons there were with each kind of others, and how many of them were of the same answer."""

    n: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)

    def add(self, whom: str, same: bool) -> None:
        """Note one comparison."""
        self.n[whom] += 1
        self.same[whom] += same

    def estimate(self, whom: str) -> dict[str, Any] | None:
        """The share with its 95 % interval and n; None without a comparison.

        Pairs with colleagues share items and people, so their interval is somewhat too narrow.
        """
        found = share(self.same[whom], self.n[whom])
        return found.to_json() if found is not None else None


@dataclass
class _Given:
    """What was said of one item."""

    own: dict[int, Label] = field(default_factory=dict)  # by person
    known: dict[Any, Label] = field(default_factory=dict)  # imported, by source
    word: Label | None = None  # a manager's last one


def compared(session: Session, project: Project) -> dict[int, Compared]:
    """By person: comparisons with `managers`, `known` labels that were imported, and `colleagues`. O(answers)."""
    asked = tasks.questions(session, project)
    found: dict[int, Compared] = defaultdict(Compared)
    for given in _items(session, project, asked):
        if given.word is not None:
            _with(found, "managers", given.own, given.word, asked)
        elif given.known:
            first, *others = given.known.values()
            if all(tasks.distance(first, other, asked) == 0 for other in others):
                _with(found, "known", given.own, first, asked)
        for (one, mine), (other, theirs) in combinations(given.own.items(), 2):
            same = tasks.distance(mine, theirs, asked) == 0
            found[one].add("colleagues", same)
            found[other].add("colleagues", same)
    return found


def _with(found: dict[int, Compared], whom: str, own: dict[int, Label], label: Label, asked: Any) -> None:
    for person, mine in own.items():
        found[person].add(whom, tasks.distance(mine, label, asked) == 0)


def _items(session: Session, project: Project, asked: Any) -> list[_Given]:
    """Items with more than one version or answer, each with what was said of it."""
    several = (
        select(Annotation.item_id)
        .where(Annotation.project_id == project.id, Annotation.origin.in_(("human", "import")))
        .group_by(Annotation.item_id)
        .having(func.count() > 1)
    )
    columns = ("item_id", "annotator_id", "annotator_name", "answer_id", "origin", "decisive", "label")
    rows = session.execute(
        select(*(getattr(Annotation, name) for name in columns))
        .join(Item, (Item.id == Annotation.item_id) & (Item.revision == Annotation.item_revision))
        .where(Annotation.item_id.in_(several), Annotation.origin.in_(("human", "import")), ~Annotation.retracted)
        .where(~answered.taken_back(Annotation))
        .order_by(Annotation.id)
    )
    found: dict[int, _Given] = defaultdict(_Given)
    for row in rows:
        given, label = found[row.item_id], tasks.in_force(row.label, asked)
        if row.decisive:
            given.word = label
        elif row.origin == "import":
            given.known[row.answer_id] = label
        elif row.annotator_id is not None:
            given.own[row.annotator_id] = label
    return list(found.values())
