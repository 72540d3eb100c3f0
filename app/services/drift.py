"""How a round left the comparison of new items with earlier ones: said to people, to webhooks, and as a filter."""

from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.db import Item, Project, WriteSession
from app.evaluation.drift import FEWEST
from app.services import answered, outbox, status


@dataclass(frozen=True)
class Drift:
    """How a round left it: items up to `since`, the newest one of round `since_round`, are earlier ones, if behind
    `behind`. `looks` counts those of the whole project, `seen` are the new items at the last one.
    """

    since: int
    since_round: int
    behind: int = 0
    looks: int = 0
    seen: int = 0
    new: int = 0
    labelled: int = 0  # of the new ones
    compared: tuple[int, int] = (0, 0)  # earlier and new items
    apart: dict[str, Any] | None = None
    chance: float | None = None
    alarm: bool = False
    items: list[int] = field(default_factory=list)  # the new ones that look most unlike the earlier ones
    lack: str | None = None  # why nothing can be compared

    @staticmethod
    def from_json(stored: dict[str, Any] | None) -> "Drift | None":
        """As a round kept it; None for nothing."""
        return Drift(**{**stored, "compared": tuple(stored["compared"])}) if stored else None

    def to_json(self) -> dict[str, Any]:
        """As a round keeps it."""
        return asdict(self)


def words(stored: dict[str, Any] | None) -> str | None:
    """What the newest round says of new items; None where none came in."""
    found = Drift.from_json(stored)
    if found is None or found.new == 0:
        return None
    came = f"{found.new:,} items came in since round {found.since_round}"
    if found.lack:
        return f"{came}; whether they differ from the earlier ones cannot be told: {found.lack}."
    if found.apart is None:
        return f"{came}; from {FEWEST} on they are compared with the earlier ones."
    value, low, high = (100 * found.apart[name] for name in ("value", "low", "high"))
    if not found.alarm:
        return f"{came}: no sign that they differ from the earlier ones (told apart in {value:.0f} of 100 pairs)."
    return (
        f"The {found.new:,} items that came in since round {found.since_round} look unlike the earlier ones: a model "
        f"tells them apart in {value:.0f} of 100 pairs ({low:.0f} to {high:.0f}; 50 is chance). What was measured so "
        "far holds for items like the earlier ones."
    )


def tell(session: WriteSession, project_id: int, number: int, last: Drift | None, found: Drift | None) -> None:
    """Say to webhooks that an alarm has begun."""
    if found is not None and found.alarm and not (last is not None and last.alarm):
        told = {"round": number, "items": found.new, "told_apart": (found.apart or {}).get("value")}
        outbox.emit(session, project_id, "drift.found", told | {"words": words(found.to_json())})


def drifted(session: Session, project: Project) -> ColumnElement[bool]:
    """Whether an item is one of those behind the standing alarm that nobody has labelled."""
    last = status.last_evaluated(session, project.id)
    found = Drift.from_json(((last.metrics or {}) if last else {}).get("drift"))
    ids = found.items if found is not None and found.alarm else []
    return answered.one_of(session, Item.id, ids) & ~Item.done
