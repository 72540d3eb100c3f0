"""SIGKILL in the middle of a migration with data: before a step or after it, every row is there, and it goes on."""

import os
import random
import signal
import time
from multiprocessing.connection import Connection

from sqlalchemy import create_engine, text

from app.db import migrate
from benchmarks.faults import guards
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.site import CLASSES, Site, end, run_due, site, texts
from tests import forks

STEPS_BACK = 8
TABLES = ("items", "annotations", "users", "projects", "leases")


def run(run: Run) -> Outcome:
    """Down some steps, up again with a kill at a random moment, and up to the end; rows are counted each time."""
    chance = random.Random(run.seed)
    found: list[str] = []
    killed, longest = 0, 0.6
    with site(run.database, 2) as at:
        _fill(at)
        at.db.dispose()
        wanted = _counts(at.url)
        for number in range(run.times):
            for _ in range(STEPS_BACK):
                migrate.migrate(at.url, "-1")
            process, heard = forks.started(_migrate, at.url, run.without)
            heard.recv()
            begun = time.monotonic()
            process.join(chance.random() * longest)
            killed += process.is_alive()
            end(process, how=signal.SIGKILL)
            longest = 0.9 * longest + 0.1 * 2 * (time.monotonic() - begun)
            try:
                migrate.migrate(at.url)
                migrate.differences(at.url)
            except Exception as error:
                found.append(f"kill {number}: it does not go on: {str(error).splitlines()[0][:150]}")
                break
            if (now := _counts(at.url)) != wanted:
                found.append(f"kill {number}: rows {now} instead of {wanted}")
    found += [] if killed else ["no migration was killed"]
    return Outcome(run.times, {"killed in the middle": killed, "rows": sum(wanted.values())}, found)


def _migrate(url: str, without: str, told: Connection) -> None:
    guards.remove(without)
    told.send(os.getpid())
    migrate.migrate(url)


def _fill(at: Site) -> None:
    """Items, answers and jobs, so that there is something to lose."""
    server = at.server()
    try:
        at.serving()
        with at.client() as client:
            task = {"type": "classification", "classes": list(CLASSES)}
            body = {"name": "Old", "modality": "text", "task": task}
            project = client.post("/projects", json=body).raise_for_status().json()["id"]
            rows = [{**row, "label": row["key"][:3]} for row in texts(0, 3_000)]
            client.post(f"/projects/{project}/items", json=rows).raise_for_status()
    finally:
        end(server)
    run_due(at)


def _counts(url: str) -> dict[str, int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()) for name in TABLES}
    engine.dispose()
    return found


HARNESS = Harness(run, guards={"transaction": "sqlite"}, times=10, proof=10)
