"""What labelling takes: the project's own log of times, what an item is expected to take, and the hours so far."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from app.core.arrays import Doubles, Indices
from app.db import Annotation, Database, Item, Project
from app.evaluation.costs import FEWEST, Later, TimeModel, Times, later, learned, timed
from app.loop.pricing import Pricing
from app.modalities.text import CANDIDATES
from app.services import goal

NEWEST = 3_000  # answers that teach the times
MOST_PEOPLE = 100  # who have a pace of their own; others share one
AT_ONCE = 900  # items asked for in one statement
UNITS = {"text": "characters", "image": "pixels", "audio": "seconds", "video": "seconds", "table": "characters"}
RANDOM = ("audit", "random")  # kinds of answers that chance asked for


@dataclass(frozen=True)
class Known:
    """What is known of times: `answers` with one, the model with how well it tells later ones, hours spent in all.

    `sizes` are those that a tenth and nine tenths of the answered items stay below; `asked` the mean seconds of answers
    that chance asked for, and of the chosen ones.
    """

    answers: int
    model: TimeModel | None
    later: Later | None
    hours: float
    sizes: tuple[float, float]
    asked: dict[str, float | None]

    @property
    def lack(self) -> str | None:
        """Why nobody can say what an item takes; None where it can be said."""
        if self.later is None:
            return f"{self.answers} of the {FEWEST} answers with a time that it needs"
        return None if self.later.tells else "the size of an item does not tell how long it takes here"


def known(session: Session, project: Project, until: int | None = None) -> Known:
    """Read and learn the times of the newest 3,000 answers up to `until`; hours are O(answers)."""
    rows = session.execute(
        select(Annotation.seconds_spent, Annotation.annotator_id, Annotation.kind, size_of(project.modality))
        .join(Item, Item.id == Annotation.item_id)
        .where(*_answers(project.id, until), Annotation.seconds_spent > 0)
        .order_by(Annotation.id.desc())
        .limit(NEWEST)
    ).all()[::-1]
    real, seconds = timed(np.array([row[0] for row in rows], dtype=np.float64))
    people = _people(np.array([row[1] or 0 for row in rows], dtype=np.int64))
    sizes = np.array([row[3] or 0 for row in rows], dtype=np.float64)
    by_chance = np.array([row[2] in RANDOM for row in rows], dtype=np.bool_)
    asked = {"random": _mean(seconds[real & by_chance]), "chosen": _mean(seconds[real & ~by_chance])}
    given = Times(seconds[real], sizes[real], people[real])
    hours = goal.hours_spent(session, project.id, until)
    if len(given) < FEWEST:
        return Known(len(given), None, None, hours, (0.0, 0.0), asked)
    low, high = (float(each) for each in np.quantile(given.sizes, (0.1, 0.9)))
    return Known(len(given), learned(given), later(given), hours, (low, high), asked)


def pricing(db: Database, project: Project, found: Known) -> Pricing:
    """How the project wants its candidates weighed by cost; says why where their times cannot be told."""
    model = found.model
    if found.lack is not None or model is None:
        return Pricing(project.cost_exponent, None, found.lack or "")
    return Pricing(project.cost_exponent, _seconds(db, project.modality, model))


def to_json(found: Known, modality: str, exponent: float) -> dict[str, Any]:
    """As a round keeps it."""
    told: dict[str, Any] = {"answers": found.answers, "needs": FEWEST, "hours": round(found.hours, 4)}
    told |= {"asked": found.asked, "exponent": exponent, "unit": UNITS.get(modality), "later": None, "seconds": None}
    if found.model is None or found.later is None:
        return told | {"lack": found.lack}
    ends = found.model.seconds(np.array([*found.sizes]))
    sizes = [{"size": size, "seconds": round(float(end), 2)} for size, end in zip(found.sizes, ends, strict=True)]
    typical = round(float(np.exp(found.model.base) * found.model.spread), 2)
    return told | {"lack": found.lack, "later": found.later.to_json(), "seconds": typical, "sizes": sizes}


def words(stored: dict[str, Any] | None) -> str | None:
    """What an answer takes and how well that is known, in two sentences; None before a round looked."""
    if not stored:
        return None
    if stored["later"] is None:
        return f"What an item takes cannot be told yet: {stored['answers']} of {stored['needs']} answers with a time."
    told = stored["later"]
    factor, without = (f"{told[name]:.2f}" for name in ("factor", "without"))
    near = f"half of the later answers were within a factor of {factor}"
    if not told["tells"]:
        return (
            f"An answer takes about {stored['seconds']:.1f} s ({near}); the size of an item does not tell how long it "
            "takes here."
        )
    low, high = stored["sizes"]
    unit = stored["unit"] or "units"
    return (
        f"An answer takes about {low['seconds']:.1f} s at {low['size']:,.0f} {unit} and {high['seconds']:.1f} s at "
        f"{high['size']:,.0f}; {near}{f' ({without} without the size)' if without != factor else ''}."
    )


def size_of(modality: str) -> ColumnElement[Any]:
    """Characters of a text with its candidates or of a row, pixels of an image, seconds of a clip; 0 where unknown."""
    payload = Item.payload
    if modality == "text":
        text, candidates = (func.coalesce(func.length(payload[part].as_string()), 0) for part in ("text", CANDIDATES))
        return text + candidates
    if modality == "table":
        return func.coalesce(func.length(payload["row"].as_string()), 0)
    if modality == "image":
        width, height = payload[("image", "width")].as_float(), payload[("image", "height")].as_float()
        return func.coalesce(width * height, 0.0)
    if modality in ("audio", "video"):
        return func.coalesce(payload[(modality, "seconds")].as_float(), 0.0)
    return literal(0.0)


def _answers(project_id: int, until: int | None) -> list[ColumnElement[bool]]:
    """First versions of what people answered here, up to an annotation."""
    here = [Annotation.project_id == project_id, Annotation.version == 1, Annotation.origin == "human"]
    return here if until is None else [*here, Annotation.id <= until]


def _seconds(db: Database, modality: str, model: TimeModel) -> Callable[[Indices], Doubles]:
    """Expected seconds (n,) of items (n, 3); reads their sizes, some hundred a statement."""

    def told(ids: Indices) -> Doubles:
        sizes: dict[int, float] = {}
        items = ids[:, 0].tolist()
        with db.read() as session:
            for start in range(0, len(items), AT_ONCE):
                some = select(Item.id, size_of(modality)).where(Item.id.in_(items[start : start + AT_ONCE]))
                sizes |= {row[0]: float(row[1] or 0) for row in session.execute(some)}
        return model.seconds(np.array([sizes.get(item, 0.0) for item in items], dtype=np.float64))

    return told


def _people(people: Indices) -> Indices:
    """The same, with all but the hundred who answered most as one."""
    names, counts = np.unique(people, return_counts=True)
    most = names[np.argsort(-counts, kind="stable")[:MOST_PEOPLE]]
    return np.where(np.isin(people, most), people, 0)


def _mean(seconds: Doubles) -> float | None:
    return round(float(seconds.mean()), 3) if len(seconds) else None
