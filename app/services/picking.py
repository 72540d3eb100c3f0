"""Which items are given next: what the audit share and the round's order say, or a slice of that order.

Audit membership is a property of the item and the kind of each slot a keyed draw, so the shares are exact whatever
the strategy took, and a replay with the same seed serves the same items.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Row, TextualSelect, text
from sqlalchemy.orm import Session

from app.db import Lease, Project, Round, WriteSession, reads
from app.loop.serving import AUDIT_WARM_UP, slot_kind
from app.services import audit_requests, auditing, guarding, leases, tasks
from app.services.access import Person
from app.services.audit_requests import NOTHING, Asked
from app.services.leases import Source
from app.task_types import Question

SPARE = 200  # candidates of a slice beyond those, as colleagues may take some before they are given out
LOOK_AHEAD = 4  # candidates fetched for each lease wanted, so that near-identical ones can be passed over
MOST_AHEAD = 1_000  # of them beyond what is wanted


@dataclass(frozen=True)
class Order:
    """What picking goes by: the slots and audit answers so far, the round whose order it is, what is asked."""

    slots_served: int
    audited: int
    has_first: bool
    round_id: int | None = None
    number: int | None = None
    strategy: str = "random"
    fallback: str | None = None
    guarded: bool = False
    class_ids: Sequence[int] = ()
    question: Question | None = None
    asked: Asked = NOTHING


@dataclass(frozen=True)
class Pick:
    """A candidate, why it is given, and into which slot."""

    row: Row[Any]
    kind: str
    slot: int


@dataclass(frozen=True)
class Take:
    """Who is to get how many items; `fingerprints` are of the items in hand.

    `fitting` is what must hold of an item besides; with `brief` the rows come without the items' content.
    """

    session: Session
    project: Project
    person: Person
    order: Order
    count: int
    fingerprints: set[str]

    fitting: Sequence[ColumnElement[bool]] = ()
    brief: bool = False

    @property
    def limit(self) -> int:
        """How many candidates are looked at."""
        return self.count + min((LOOK_AHEAD - 1) * self.count, MOST_AHEAD)

    def rows(self, source: Source, **more: Any) -> list[Row[Any]]:
        """Candidates of a source, best first."""
        values = {"project": self.project.id, "annotator": self.person.id, "overlap": self.project.overlap}
        values |= {"limit": self.limit, **more}
        statement = source.brief if self.brief else source.statement
        if self.fitting:
            statement = statement.where(*self.fitting)
        return list(self.session.connection().execute(statement, values).all())

    def count_of(self, source: Source, **more: Any) -> int:
        """How many candidates a source has."""
        values = {"project": self.project.id, "annotator": self.person.id, "overlap": self.project.overlap, **more}
        found: int = self.session.connection().execute(source.counted(self.fitting), values).scalar_one()
        return found

    def audits(self) -> list[Row[Any]]:
        """Candidates of the audit set: as a round drew them where audit items are chosen, else in the audit order.

        Of chosen ones none are for people whose items are of a slice: the places before theirs would count as draws.
        """
        if auditing.is_active(self.project):
            return [] if self.fitting else self.rows(leases.CHOSEN)
        return self.rows(leases.DRAWN, reserved=True)

    def picks(self, picked: list[tuple[Row[Any], str]]) -> list[Pick]:
        """Each with its free slot; those whose slots are all held are left out."""
        slots = leases.free_slots(self.session, [row.id for row, _ in picked], self.project.overlap)
        return [Pick(row, kind, slots[row.id]) for row, kind in picked if row.id in slots]


# The standing of a project's queue; audit answers are counted as far as it matters.
ORDER_SQL = """
    SELECT serving.slots_served, serving.round_id, serving.audit_asked, serving.audit_since,
           rounds.number, rounds.strategy, rounds.fallback, rounds.class_ids,
           (SELECT count(*) FROM (SELECT 1 FROM annotations WHERE project_id = :project AND kind = 'audit'
            AND version = 1 LIMIT :warm_up) AS audits) AS audited,
           EXISTS (SELECT 1 FROM items WHERE items.project_id = :project AND items.priority > 0
            AND items.state = 'open' AND NOT items.done) AS has_first
    FROM serving LEFT JOIN rounds ON rounds.id = serving.round_id WHERE serving.project_id = :project {lock}
"""


def _order(lock: str) -> TextualSelect:
    return reads(
        text(ORDER_SQL.format(lock=lock)),
        "slots_served round_id audit_asked audit_since number strategy fallback class_ids audited has_first",
        strategy=Round.strategy.type,
        class_ids=Round.class_ids.type,
        has_first=Lease.blind.type,
    )


ORDER, ORDER_ALONE = _order(""), _order("FOR UPDATE OF serving")  # the second is PostgreSQL's
SLOTS = text("UPDATE serving SET slots_served = slots_served + :slots WHERE project_id = :project")


def order_of(session: Session, project: Project, *, alone: bool = False) -> Order:
    """The order that is served now, and how far it is served.

    With `alone` it is the project's turn to give out items: no other transaction does so, and no round publishes
    meanwhile. What is held until the commit is held up for everybody, so this comes as late as it can.
    """
    lock = alone and session.get_bind().dialect.name == "postgresql"  # SQLite's write lock does so by itself
    values = {"project": project.id, "warm_up": AUDIT_WARM_UP}
    row = session.connection().execute(ORDER_ALONE if lock else ORDER, values).one()
    if lock and row.round_id is not None and row.number is None:  # published while we waited, and not seen yet
        row = session.connection().execute(ORDER, values).one()
    order = Order(row.slots_served, row.audited, row.has_first, asked=Asked(row.audit_asked, row.audit_since))
    if row.round_id is None:
        return replace(order, fallback="no round has been published yet")
    return replace(
        order,
        round_id=row.round_id,
        number=row.number,
        strategy=str(row.strategy.get("ran") or row.strategy.get("name") or "auto"),
        fallback=row.fallback,
        guarded=bool(row.strategy.get(guarding.MARK)),
        class_ids=row.class_ids,
        question=tasks.driving(tasks.questions(session, project)),
    )


def pick(take: Take) -> list[Pick]:
    """The next items by audit share and order; counts the slots that are given.

    What a manager asked for comes before the share: then the first slots are audit ones. Only people whose items are of
    the whole pool get those, as the audit answers of some slices alone would be no uniform sample of it.
    """
    assert isinstance(take.session, WriteSession)  # the slots are counted in it
    wanted = kinds(take.project, take.order, take.order.slots_served, take.count)
    if take.order.asked.count and not take.fitting:
        first = min(take.count, audit_requests.left_to_give(take.session, take.project.id, take.order.asked))
        wanted[:first] = ["audit"] * first
    picks = take.picks(choose(take, wanted))
    give_audits(take.session, take.project, picks)
    take.session.connection().execute(SLOTS, {"project": take.project.id, "slots": len(picks)})
    return picks


def give_audits(session: WriteSession, project: Project, picks: Sequence[Pick]) -> None:
    """Remember which places of the audit order are given out, where it is drawn by rounds."""
    if auditing.is_active(project):
        auditing.give(session, project.id, [pick.row.id for pick in picks if pick.kind == "audit"])


def kinds(project: Project, order: Order, served: int, count: int) -> list[str]:
    """Whether each of the slots behind those that are served is one of the audit or of the query order."""
    share = project.audit_share
    slots = range(served, served + count)
    return [slot_kind(project.seed, slot, order.audited, share, guarded=order.guarded) for slot in slots]


def choose(take: Take, wanted: Sequence[str], *, audit: bool = True) -> list[tuple[Row[Any], str]]:
    """Candidates with their kinds: the drawn kinds from their own orders; where those run dry, the random order.

    An audit slot without an audit item left is a query, unless the guard is up: then it is random. At last come audit
    items beyond their share, unless `audit` is False.
    """
    order = take.order
    reserved = take.audits() if "audit" in wanted else []
    query = take.rows(leases.FIRST) if order.has_first else []
    if order.round_id is not None:
        query += take.rows(leases.QUEUE, round=order.round_id)
    picked = _merge(wanted, reserved, query, take.fingerprints, spare=not order.guarded)
    if len(picked) < take.count:
        rest = [(row, "random") for row in take.rows(leases.DRAWN, reserved=False)]
        if audit and len(rest) < take.limit:
            rest += [(row, "audit") for row in take.audits()]
        picked = _filled_up(picked, rest, take)
    return picked


def candidates(take: Take, *, audit: bool) -> list[int]:
    """Ids of the next items that fit; as long as the slice is thin, so it asks for no lock."""
    deep = replace(take, count=take.count + SPARE // LOOK_AHEAD, brief=True)
    rows = deep.rows(leases.FIRST) + deep.rows(leases.DRAWN, reserved=False)
    if take.order.round_id is not None:
        rows += deep.rows(leases.QUEUE, round=take.order.round_id)
    if audit:
        rows += deep.audits()
    return sorted({row.id for row in rows})


def own_slice(take: Take) -> list[Pick]:
    """Of what fits those put first, then the round's order, then the seeded random order; no audit items."""
    return take.picks(choose(take, ["query"] * take.count, audit=False))


def _filled_up(
    picked: list[tuple[Row[Any], str]], rest: list[tuple[Row[Any], str]], take: Take
) -> list[tuple[Row[Any], str]]:
    known = {row.id for row, _ in picked}
    rest = [(row, kind) for row, kind in rest if row.id not in known]
    picked = [*picked, *_distinct(rest, take.fingerprints)[: take.count - len(picked)]]
    known = {row.id for row, _ in picked}
    left = [(row, kind) for row, kind in rest if row.id not in known]
    return [*picked, *left[: take.count - len(picked)]]  # near-identical ones, only where nothing else is left


def _merge(
    kinds: Sequence[str], audit: list[Row[Any]], query: list[Row[Any]], fingerprints: set[str], *, spare: bool
) -> list[tuple[Row[Any], str]]:
    """Fill each drawn kind from its own order, passing over what is near-identical to something held already.

    `spare`: audit slots that find none are filled from the query order.
    """
    sources = {
        "audit": iter(_distinct([(row, "audit") for row in audit], set())),
        "query": iter(_distinct([(row, "query") for row in query], set())),
    }
    picked: list[tuple[Row[Any], str]] = []
    for kind in kinds:
        for candidate in chain(sources[kind], sources["query"] if spare else ()):
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
