"""`labelwise backup` while people label, `labelwise restore` into an empty place: the true state of one moment."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from sqlalchemy import make_url, select, text

from app.db import Annotation, Database
from app.services import filed
from benchmarks.faults.journal import Journal, broken_rules, violations
from benchmarks.faults.outcome import Harness, Outcome, Run, percentile
from benchmarks.faults.people import labelling
from benchmarks.faults.site import Site, end, site

ROOT = Path(__file__).resolve().parents[2]
ANSWERS_BETWEEN = 30


def run(run: Run) -> Outcome:
    """So many backups of one service under load, each restored and looked at."""
    took: list[float] = []
    found: list[str] = []
    with site(run.database, run.people) as at:
        server, worker = at.server(), at.worker()
        try:
            at.serving()
            at.set_up(items=500 + 200 * run.times, round_size=30)
            journal = Journal(at.data.parent / "journal.jsonl")
            drills = []
            with labelling(at, at.people, journal, seed=run.seed):
                for number in range(run.times):
                    until = time.monotonic() + 60
                    while len(journal.acked) < ANSWERS_BETWEEN * (number + 1) and time.monotonic() < until:
                        time.sleep(0.05)
                    begun, before = time.monotonic(), set(journal.acked)
                    drills.append((before, _backed_up(at, number, naive=bool(run.without))))
                    took.append(time.monotonic() - begun)
            found += violations(at, journal)
            restored = []
            for number, (before, file) in enumerate(drills):
                begun = time.monotonic()
                found += [f"drill {number}: {each}" for each in _looked_at(at, journal, number, before, file)]
                restored.append(time.monotonic() - begun)
        finally:
            end(server, worker)
    figures = {"acknowledged": len(journal.acked), "backup": f"{percentile(took, 1):.1f} s at most"}
    return Outcome(run.times, figures | {"restore and check": f"{percentile(restored, 1):.1f} s at most"}, found)


def _backed_up(at: Site, number: int, *, naive: bool) -> Path:
    if not naive:
        file = at.data.parent / f"{number}.tar.gz"
        _labelwise(at.data, at.url, "backup", str(file))
        return file
    copy = at.data.parent / f"naive-{number}"  # as one does by hand: the file without its log
    shutil.copytree(at.data, copy, ignore=shutil.ignore_patterns("*-wal", "*-shm", "tmp"))
    return copy


def _looked_at(at: Site, journal: Journal, number: int, before: set[str], file: Path) -> list[str]:
    with ExitStack() as stack:
        place, url = at.data.parent / f"restored-{number}", ""
        if file.is_dir():
            place = file
        else:
            url = _empty_database(at, number)
            _labelwise(place, url, "restore", str(file))
        db = Database(url or f"sqlite:///{place / 'labelwise.db'}")
        stack.callback(db.dispose)
        with db.read() as session:
            ids = set(session.execute(select(Annotation.id)).scalars())
        acked = {journal.acked[key]["id"] for key in before}
        highest = max(ids, default=0)
        with at.db.read() as session:
            until_then = set(session.execute(select(Annotation.id).where(Annotation.id <= highest)).scalars())
        found = [f"{len(acked - ids)} answers from before are missing"] if acked - ids else []
        # On PostgreSQL numbers are given before the commit: the last ones may come later.
        if at.db.is_sqlite and ids != until_then:
            found.append("it is not what was there at one moment")
        there = replace(at, data=place, db=db)
        found += broken_rules(there)
        return found + [
            each.what + ": " + each.detail for each in filed.files(db, there.settings, every=True) if not each.good
        ]


def _empty_database(at: Site, number: int) -> str:
    if at.db.is_sqlite:
        return ""
    name = f"restored_{os.getpid()}_{number}"
    with at.db.reading.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(at.url).set(database=name).render_as_string(hide_password=False)


def _labelwise(data: Path, url: str, *arguments: str) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("LABELWISE_")}
    environment = plain | {"PYTHONPATH": str(ROOT), "LABELWISE_DATA": str(data)}
    if url and not url.startswith("sqlite"):
        environment["LABELWISE_DATABASE_URL"] = url
    ended = subprocess.run(
        [sys.executable, "-m", "labelwise", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"labelwise {arguments[0]}: {ended.stderr}")


HARNESS = Harness(run, guards={"backup": "sqlite"}, times=3, proof=2)
