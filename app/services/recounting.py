"""Whether the rows agree with each other: every derived number counted anew, every guard looked at from outside.

Nothing here is needed while the service runs; `labelwise check` and the harnesses of benchmarks/faults ask.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.db import Database, Job

SILENT_LEASES = 3  # a running job whose lease ended so many lengths ago is nobody's


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is in order, what was seen, and what to do where it is not."""

    what: str
    good: bool
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Rule:
    """What must hold of the rows: a query for those that break it, in the words of whoever reads the result."""

    what: str
    broken: str
    advice: str


REPORT = "keep a copy of the data folder and report it: answers are not lost by it, but this must not happen"
CURRENT = """annotations.version = (SELECT max(newest.version) FROM annotations AS newest
             WHERE newest.answer_id = annotations.answer_id)"""
STANDING = f"""(SELECT count(*) FROM annotations WHERE annotations.item_id = items.id AND annotations.counted
               AND NOT annotations.retracted AND annotations.item_revision = items.revision AND {CURRENT})"""
DECIDED = f"""EXISTS (SELECT 1 FROM annotations WHERE annotations.item_id = items.id AND annotations.decisive
              AND NOT annotations.retracted AND {CURRENT})"""
HELD = """(SELECT count(*) FROM leases WHERE leases.item_id = items.id AND leases.unit = 0
          AND leases.state = 'answered')"""

COUNTED = Rule(
    "each project's items are counted right",
    "SELECT project_id FROM (SELECT project_id, state, split, done, count(*) AS parts FROM items "
    "GROUP BY project_id, state, split, done UNION ALL SELECT project_id, state, split, done, -sum(count) "
    "FROM item_tallies GROUP BY project_id, state, split, done) AS counted "
    "GROUP BY project_id, state, split, done HAVING sum(parts) <> 0",
    REPORT,
)
RULES = (
    Rule(
        "no slot of an item is held twice",
        "SELECT item_id FROM leases WHERE state IN ('live', 'answered') GROUP BY item_id, unit, slot "
        "HAVING count(*) > 1",
        REPORT,
    ),
    Rule(
        "nobody holds an item twice",
        "SELECT item_id FROM leases WHERE state IN ('live', 'answered', 'skipped') "
        "GROUP BY item_id, unit, annotator_id HAVING count(*) > 1",
        REPORT,
    ),
    Rule(
        "an answer that was sent twice is stored once",
        "SELECT min(id) FROM annotations WHERE request_id IS NOT NULL GROUP BY project_id, request_id "
        "HAVING count(*) > 1",
        REPORT,
    ),
    Rule(
        "the versions of each answer are whole",
        "SELECT min(id) FROM annotations GROUP BY answer_id HAVING min(version) <> 1 OR max(version) <> count(*)",
        "rows of answers are missing: restore a backup beside this database and compare",
    ),
    Rule(
        "each answered lease has its answer",
        "SELECT id FROM leases WHERE state = 'answered' "
        "AND NOT EXISTS (SELECT 1 FROM annotations WHERE annotations.lease_id = leases.id)",
        "rows of answers are missing: restore a backup beside this database and compare",
    ),
    Rule(
        "each counted answer holds its slot",
        "SELECT annotations.id FROM annotations JOIN leases ON leases.id = annotations.lease_id "
        f"WHERE annotations.counted AND NOT annotations.retracted AND NOT annotations.decisive AND {CURRENT} "
        "AND annotations.unit = 0 AND leases.state <> 'answered'",
        REPORT,
    ),
    Rule(
        "each item that counts as answered has an answer",
        "SELECT items.id FROM items WHERE items.done AND items.state = 'open' AND items.split = 'pool' "
        f"AND {STANDING} = 0 AND NOT {DECIDED} AND {HELD} = 0",
        "take such an item out and in again on the items page: it is asked about anew",
    ),
    Rule(
        "each item with all its answers counts as answered",
        "SELECT items.id FROM items JOIN projects ON projects.id = items.project_id WHERE NOT items.done "
        "AND items.state = 'open' AND items.split = 'pool' "
        "AND EXISTS (SELECT 1 FROM leases WHERE leases.item_id = items.id AND leases.state = 'answered') "
        f"AND {HELD} >= projects.overlap",
        "it is asked about once more than wanted; its answers are whole",
    ),
    COUNTED,
    Rule(
        "the served order knows what is answered",
        # Before a round is evaluated PostgreSQL may not have brought both together, see turn_state.mark_done.
        "SELECT queue.item_id FROM queue JOIN serving ON serving.round_id = queue.round_id "
        "JOIN rounds ON rounds.id = queue.round_id JOIN items ON items.id = queue.item_id "
        "WHERE rounds.state = 'done' AND queue.done <> items.done AND items.state = 'open'",
        "start a round on the project's page: its order is made anew",
    ),
    Rule(
        "each project is served one whole order",
        "SELECT serving.project_id FROM serving JOIN rounds ON rounds.id = serving.round_id "
        "WHERE rounds.state NOT IN ('published', 'done') OR rounds.queue_length <> "
        "(SELECT count(*) FROM queue WHERE queue.round_id = rounds.id) AND NOT EXISTS "
        "(SELECT 1 FROM items WHERE items.project_id = serving.project_id AND items.state = 'deleted')",
        "start a round on the project's page: its order is made anew",
    ),
    Rule(
        "each running round has somebody at work",
        "SELECT rounds.id FROM rounds JOIN jobs ON jobs.id = rounds.job_id WHERE rounds.state = 'running' "
        "AND jobs.state NOT IN ('waiting', 'running')",
        "start a round on the project's page: it takes its place",
    ),
    Rule(
        "at most one round of a project runs",
        "SELECT project_id FROM jobs WHERE kind = 'round' AND state = 'running' GROUP BY project_id "
        "HAVING count(*) > 1",
        REPORT,
    ),
)  # fmt: skip
# A job whose worker is gone; asked only while one lives, as without any nothing can be taken up again.
ABANDONED = text("SELECT id FROM jobs WHERE state = 'running' AND lease_until < :since").bindparams(
    bindparam("since", type_=Job.lease_until.type)
)


def rows(db: Database, settings: Settings, *, worker_lives: bool) -> list[Finding]:
    """Every rule on every project; a pass over answers, leases and items."""
    with db.read() as session:
        found = [_look(session, rule) for rule in RULES]
        if worker_lives:
            since = db.now() - timedelta(seconds=SILENT_LEASES * settings.job_lease_seconds)
            left = list(session.execute(ABANDONED, {"since": since}).scalars())
            found.append(
                Finding("each running job has a worker", not left, _listed(left), "start the worker again: it goes on")
            )
    return found


def integrity(db: Database) -> list[Finding]:
    """What the database says of itself: on SQLite of its pages and keys, on PostgreSQL of its settings."""
    with db.read() as session:
        return _sqlite(session) if db.is_sqlite else _postgresql(session)


def _sqlite(session: Session) -> list[Finding]:
    said = [str(line) for line in session.execute(text("PRAGMA integrity_check(5)")).scalars()]
    loose = session.execute(text("PRAGMA foreign_key_check")).all()
    tables = sorted({str(row[0]) for row in loose})
    return [
        Finding(
            "the database file is whole",
            said == ["ok"],
            "; ".join(said)[:500],
            "stop the service, keep the file, and restore the newest backup into an empty folder; "
            "`sqlite3 labelwise.db .recover` may bring back what came since",
        ),
        Finding("every row points to one that is there", not loose, ", ".join(tables) or "all", REPORT),
    ]


def _postgresql(session: Session) -> list[Finding]:
    found = {name: session.execute(text(f"SHOW {name}")).scalar_one() for name in ("fsync", "full_page_writes")}
    off = [name for name, value in found.items() if value != "on"]
    return [
        Finding(
            "PostgreSQL writes what it acknowledges to the disk",
            not off,
            f"{', '.join(off)} off" if off else "fsync and full_page_writes are on",
            "set them to on in postgresql.conf: a power cut may damage the database",
        )
    ]


def _look(session: Session, rule: Rule) -> Finding:
    # Not LIMIT alone: how many there are says whether it is one accident or a habit.
    broken: list[Any] = list(session.execute(text(rule.broken)).scalars())
    return Finding(rule.what, not broken, _listed(broken), rule.advice)


def _listed(ids: list[Any]) -> str:
    if not ids:
        return "none is wrong"
    return f"{len(ids):,} wrong, as {', '.join(str(each) for each in ids[:5])}"
