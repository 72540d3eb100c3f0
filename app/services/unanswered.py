"""Audit items that were given out and have no answer: who skips what is hard makes the model look better than it is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import reads

# Of each audit item that is still open, by its leases and by a selection that named it, and by the answers that stand:
# of the content that it has now, as far as is known of what a lease showed and a selection named.
GIVEN = reads(
    text("""
        SELECT count(*) AS given, coalesce(sum(1 - answered), 0) AS unanswered,
               coalesce(sum(CASE WHEN answered = 0 AND live = 0 THEN skipped ELSE 0 END), 0) AS skipped,
               coalesce(sum(CASE WHEN answered = 0 THEN live ELSE 0 END), 0) AS in_hands
        FROM (
            SELECT item_id, max(answered) AS answered, max(skipped) AS skipped, max(live) AS live FROM (
                SELECT item_id, item_revision, 0 AS answered, CASE WHEN state = 'skipped' THEN 1 ELSE 0 END AS skipped,
                       CASE WHEN state = 'live' THEN 1 ELSE 0 END AS live
                FROM leases WHERE kind = 'audit' AND project_id = :project
                UNION ALL
                SELECT item_id, NULL, 0, 0, 0 FROM selected WHERE project_id = :project
                UNION ALL
                SELECT item_id, item_revision, 1, 0, 0 FROM annotations
                WHERE project_id = :project AND kind = 'audit' AND counted AND NOT retracted AND NOT EXISTS (
                    SELECT 1 FROM annotations AS newer
                    WHERE newer.answer_id = annotations.answer_id AND newer.version > annotations.version)
            ) AS events JOIN items ON items.id = events.item_id
            WHERE items.state = 'open' AND coalesce(item_revision, items.revision) = items.revision GROUP BY item_id
        ) AS given_out
    """),
    "given unanswered skipped in_hands",
)


JUDGES = reads(
    text("""
        SELECT count(*) AS judges FROM (
            SELECT DISTINCT item_id FROM annotations JOIN items ON items.id = annotations.item_id
            WHERE annotations.project_id = :project AND kind = 'audit' AND counted AND NOT retracted
            AND item_revision = items.revision AND items.state = 'open' AND NOT EXISTS (
                SELECT 1 FROM annotations AS newer
                WHERE newer.answer_id = annotations.answer_id AND newer.version > annotations.version)
            LIMIT :most
        ) AS few
    """),
    "judges",
)


@dataclass(frozen=True)
class Unanswered:
    """Audit items that were given out: `given` in all, `unanswered` of these.

    `in_hands` of the latter somebody has now, `skipped` somebody skipped and nobody has; the rest was given back, ran
    out or had its answer taken back.
    """

    given: int
    unanswered: int
    skipped: int
    in_hands: int

    def to_json(self) -> dict[str, int]:
        """As a round keeps it."""
        return asdict(self)


def of_project(session: Session, project_id: int) -> Unanswered:
    """What was given out so far; O(leases on audit items)."""
    row = session.connection().execute(GIVEN, {"project": project_id}).one()
    return Unanswered(*(int(each) for each in row))


def judges(session: Session, project_id: int, most: int) -> int:
    """How many audit items have an answer that stands, however many people gave one; counted up to `most`."""
    return int(session.connection().execute(JUDGES, {"project": project_id, "most": most}).scalar_one())


def words(found: Mapping[str, int] | None, accuracy: Mapping[str, Any] | None) -> str | None:
    """How many have no answer and what that may do to the accuracy; None where all that nobody holds are answered."""
    silent = found["unanswered"] - found["in_hands"] if found else 0
    if not found or silent <= 0:
        return None
    back = silent - found["skipped"]
    parts = [f"{found['skipped']:,} skipped"] * (found["skipped"] > 0)
    parts += [f"{back:,} given back, run out or taken back"] * (back > 0)
    held = f" {found['in_hands']:,} more {'is' if found['in_hands'] == 1 else 'are'} in people's hands."
    said = (
        f"{silent:,} of {found['given']:,} audit items that were given out "
        f"{'has' if silent == 1 else 'have'} no answer: "
        f"{' and '.join(parts)}.{held if found['in_hands'] else ''}"
    )
    if accuracy is None:
        return said
    right, n = accuracy["value"] * accuracy["n"], accuracy["n"] + silent
    return (
        f"{said} What people skip is seldom skipped by chance: with all of them wrong the accuracy would be "
        f"{100 * right / n:.0f} %, with all of them right {100 * (right + silent) / n:.0f} %."
    )
