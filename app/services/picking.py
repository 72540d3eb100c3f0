"""Which items are given next: what the audit share and the round's order say, or a slice of that order.

Audit membership is a property of the item and the kind of each slot a keyed draw, so the shares are exact whatever
the strategy took, and a replay with the same seed serves the same items.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, text

from app.core.filters import Filter
from app.db import Annotation, Project, Serving, WriteSession
from app.loop.serving import AUDIT_WARM_UP, slot_kind
from app.services import filters, leases
from app.services.access import Person
from app.services.leases import Source

LOOK_AHEAD = 4  # candidates fetched for each lease wanted, so that near-identical ones can be passed over


@dataclass
class Order:
    """What is needed to describe a pick: the round whose order it comes from and its classes' names."""

    round_id: int | None = None
    number: int | None = None
    strategy: str = "random"
    fallback: str | None = None
    class_ids: Sequence[int] = ()
    names: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pick:
    """A candidate, why it is given, and into which slot."""

    row: Row[Any]
    kind: str
    slot: int


@dataclass(frozen=True)
class Take:
    """Who is to get how many items; `fingerprints` are of the items in hand."""

    session: WriteSession
    project: Project
    person: Person
    order: Order
    count: int
    fingerprints: set[str]

    def rows(self, source: Source, fitting: Sequence[ColumnElement[bool]] = (), **more: Any) -> list[Row[Any]]:
        """Candidates of a source, best first."""
        values = {"project": self.project.id, "annotator": self.person.id, "overlap": self.project.overlap}
        values |= {"limit": LOOK_AHEAD * self.count, **more}
        return list(self.session.execute(source.statement.where(*fitting), values).all())

    def picks(self, picked: list[tuple[Row[Any], str]]) -> list[Pick]:
        """Each with its free slot; those whose slots are all held are left out."""
        slots = leases.free_slots(self.session, [row.id for row, _ in picked], self.project.overlap)
        return [Pick(row, kind, slots[row.id]) for row, kind in picked if row.id in slots]


def pick(take: Take, serving: Serving) -> list[Pick]:
    """The next items by audit share and order; counts the slots that are given."""
    kinds = _kinds(take.session, take.project, serving.slots_served, take.count)
    audit = take.rows(leases.DRAWN, reserved=True) if "audit" in kinds else []
    query = take.rows(leases.FIRST)
    if take.order.round_id is not None:
        query += take.rows(leases.QUEUE, round=take.order.round_id)
    picked = _merge(kinds, audit, query, take.fingerprints)
    if len(picked) < take.count:  # the order ran dry: the seeded random order, then audit items beyond their share
        rest = [(row, "random") for row in take.rows(leases.DRAWN, reserved=False)]
        rest += [(row, "audit") for row in take.rows(leases.DRAWN, reserved=True)]
        picked = _filled_up(picked, rest, take)
    picks = take.picks(picked)
    serving.slots_served += len(picks)
    take.session.flush()
    return picks


def slice_(take: Take, wanted: Filter) -> list[Pick]:
    """Items that fit a filter: those put first, then the round's order, then the seeded random order."""
    fitting = filters.conditions(take.session, take.project, wanted)
    query = take.rows(leases.FIRST, fitting)
    if take.order.round_id is not None:
        query += take.rows(leases.QUEUE, fitting, round=take.order.round_id)
    picked = _merge(["query"] * take.count, [], query, take.fingerprints)
    if len(picked) < take.count:
        rest = [(row, "random") for row in take.rows(leases.DRAWN, fitting, reserved=False)]
        picked = _filled_up(picked, rest, take)
    return take.picks(picked)


def _filled_up(
    picked: list[tuple[Row[Any], str]], rest: list[tuple[Row[Any], str]], take: Take
) -> list[tuple[Row[Any], str]]:
    known = {row.id for row, _ in picked}
    rest = [(row, kind) for row, kind in rest if row.id not in known]
    picked = [*picked, *_distinct(rest, take.fingerprints)[: take.count - len(picked)]]
    known = {row.id for row, _ in picked}
    left = [(row, kind) for row, kind in rest if row.id not in known]
    return [*picked, *left[: take.count - len(picked)]]  # near-identical ones, only where nothing else is left


def _kinds(session: WriteSession, project: Project, served: int, count: int) -> list[str]:
    answered = session.execute(
        select(func.count()).select_from(
            select(Annotation.id)
            .where(Annotation.project_id == project.id, text("annotations.kind = 'audit'"), Annotation.version == 1)
            .limit(AUDIT_WARM_UP)
            .subquery()
        )
    ).scalar_one()
    return [slot_kind(project.seed, served + i, answered, project.audit_share) for i in range(count)]


def _merge(
    kinds: Sequence[str], audit: list[Row[Any]], query: list[Row[Any]], fingerprints: set[str]
) -> list[tuple[Row[Any], str]]:
    """Fill each drawn kind from its own order, passing over what is near-identical to something held already."""
    sources = {
        "audit": iter(_distinct([(row, "audit") for row in audit], set())),
        "query": iter(_distinct([(row, "query") for row in query], set())),
    }
    picked: list[tuple[Row[Any], str]] = []
    for kind in kinds:
        for candidate in sources[kind]:
            if candidate[0].fingerprint not in fingerprints:
                fingerprints.add(candidate[0].fingerprint)
                picked.append(candidate)
                break
    return picked


def _distinct(rows: list[tuple[Row[Any], str]], fingerprints: set[str]) -> list[tuple[Row[Any], str]]:
    kept = []
    for row, kind in rows:
        if row.fingerprint not in fingerprints:
            fingerprints.add(row.fingerprint)
            kept.append((row, kind))
    return kept
