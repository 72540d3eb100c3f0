"""How many items a project has, by their state: read from the counts that the database keeps."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db import Database, ItemTally

MANY = 100  # rows; a project has some ten counts

PUT_TOGETHER = text("""
    WITH gone AS (
        DELETE FROM item_tallies
        WHERE id IN (SELECT id FROM item_tallies WHERE project_id = :project FOR UPDATE SKIP LOCKED)
        RETURNING project_id, state, split, done, count
    )
    INSERT INTO item_tallies (project_id, state, split, done, count)
    SELECT project_id, state, split, done, sum(count) FROM gone
    GROUP BY project_id, state, split, done HAVING sum(count) <> 0
""")


class Tally(dict[tuple[str, str, bool], int]):
    """The number of a project's items by state, split and whether they are answered."""

    def of(self, *states: str, split: str | None = None, done: bool | None = None) -> int:
        """How many are in one of these states, of a split and answered or not, where that is asked."""
        return sum(
            count
            for (state, part, answered), count in self.items()
            if state in states and split in (None, part) and done in (None, answered)
        )

    @property
    def there(self) -> int:
        """All items that are not deleted."""
        return sum(count for (state, _, _), count in self.items() if state != "deleted")


def of_projects(session: Session, ids: Sequence[int]) -> dict[int, Tally]:
    """The counts of some projects, of empty ones too; a few rows each, and some hundred since the last round."""
    parts = (ItemTally.project_id, ItemTally.state, ItemTally.split, ItemTally.done)
    counted = select(*parts, func.sum(ItemTally.count)).where(ItemTally.project_id.in_(ids)).group_by(*parts)
    found: dict[int, Tally] = defaultdict(Tally)
    for project_id, state, split, done, count in session.execute(counted):
        found[project_id][state, split, done] = int(count)
    return found


def of_project(session: Session, project_id: int) -> Tally:
    """The counts of one project."""
    return of_projects(session, [project_id])[project_id]


def put_all_together(db: Database) -> None:
    """The same for every project that has many rows: in one that no round runs in, nothing else does it."""
    many = select(ItemTally.project_id).group_by(ItemTally.project_id).having(func.count() > MANY)
    with db.read() as session:
        found = list(session.execute(many).scalars())
    for project_id in found:
        put_together(db, project_id)


def put_together(db: Database, project_id: int) -> None:
    """Make one row of each count again: PostgreSQL adds one with every statement. Rows in others' hands are left."""
    if not db.is_sqlite:
        with db.write() as session:
            session.execute(PUT_TOGETHER, {"project": project_id})
