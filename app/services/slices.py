"""Slices: the part of a project's items that a person asks for, or that a manager gave a member.

A slice that a manager assigned is served like the whole pool, audit slots included; a filter of one's own narrows it
further and brings no audit items, since people may not choose what judges the model.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.core import filters as grammar
from app.core.errors import Invalid
from app.core.filters import Filter
from app.db import Item
from app.services import filters, leases, picking
from app.services.access import Person, standing
from app.services.picking import Take


class SliceFirst(Exception):
    """The person's items are limited to a slice, which is looked up before the transaction that gives them out."""


@dataclass(frozen=True)
class Slice:
    """Ids of the next items that fit; `assigned` is the member's own slice, `own` whether a filter narrows it.

    `left`: whether some item of the assigned slice is still open, in whose hands ever.
    """

    ids: list[int]
    assigned: str | None
    own: bool
    left: bool = True


def checked(given: str | None) -> str | None:
    """A member's slice as it is stored; None for no limit.

    Raises:
        Invalid: no filter of ours, or one that asks for more than the items' own content.
    """
    if given is None or not given.strip():
        return None
    if not filters.content_only(grammar.parse(given)):
        raise Invalid(
            "a slice is chosen by key, q and metadata: what others answered or the model thinks changes under the "
            "hands of who labels it",
            fields={"slice": "by content only"},
        )
    return given


def look_up(session: Session, person: Person, project_ref: int | str, wanted: Filter | None, count: int) -> Slice:
    """The next items of a person's slice, for `serving.lease`; a pass over the pool where few fit.

    Raises:
        Invalid: the filter names a class that the project does not have.
        Forbidden: an annotator's filter asks for more than the items' own content.
    """
    least: Any = "annotator" if wanted is None or filters.content_only(wanted) else "reviewer"
    found = standing(session, person, project_ref, least)
    project, own = found.project, bool(wanted)
    if wanted is not None:
        filters.permit(wanted, manager=found.role == "manager")
    fitting = filters.conditions(session, project, grammar.parse(found.slice)) if found.slice else []
    assigned = list(fitting)
    if wanted:
        fitting += filters.conditions(session, project, wanted)
    order = picking.order_of(session, project)
    ids = picking.candidates(Take(session, project, person, order, count, set(), fitting), audit=not own)
    left = True
    if found.slice and not ids:
        open_ = select(Item.id).where(Item.project_id == project.id, text(leases.OPEN), *assigned).limit(1)
        left = session.execute(open_).first() is not None
    return Slice(ids, found.slice, own, left)


def nothing_left(only: Slice) -> tuple[str, bool]:
    """Why a slice has nothing for the person now, in words, and whether waiting may help."""
    if only.own:
        return "no item that fits the filter is left for you", False
    if only.left:
        return f"no item of your slice ({only.assigned}) is left for you: colleagues hold the last ones", True
    return f"every item of your slice ({only.assigned}) is answered: ask a manager for another one", False
