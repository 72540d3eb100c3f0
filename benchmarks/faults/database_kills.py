"""PostgreSQL stopped without warning while people label; its own `synchronous_commit` is off, which ours must outdo."""

import random
import subprocess
import time
from pathlib import Path

from sqlalchemy import text

from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run, percentile
from benchmarks.faults.people import labelling
from benchmarks.faults.site import How, Site, end, site

SHORTEST_SECONDS, LONGEST_SECONDS = 0.3, 2.0
OPTIONS = "-c synchronous_commit=off -c wal_writer_delay=2000 -c wal_writer_flush_after=0"


def run(run: Run) -> Outcome:
    """Stop at once, start again, compare; the server is never started again and answers 503 meanwhile."""
    chance = random.Random(run.seed)
    back = []
    with site("postgresql", run.people, OPTIONS) as at:
        postgresql = _Server(at)
        server, worker = at.server(How(without=run.without)), at.worker()
        try:
            at.serving()
            at.set_up(items=200 + 80 * run.times)
            journal = Journal(at.data.parent / "journal.jsonl")
            with labelling(at, at.people, journal, seed=run.seed):
                for _ in range(run.times):
                    time.sleep(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
                    postgresql.restart()
                    begun, before = time.monotonic(), len(journal.acked)
                    while len(journal.acked) == before and time.monotonic() - begun < 60:
                        time.sleep(0.01)
                    back.append(time.monotonic() - begun)
            found = violations(at, journal)
        finally:
            end(server, worker)
    strange = {status for status in journal.statuses if status >= 500 and status != 503}
    found += [f"answers with {status}: {journal.statuses[status]}" for status in strange]
    figures = {"acknowledged": len(journal.acked), "statuses": dict(journal.statuses)}
    return Outcome(run.times, figures | {"back after at most": f"{percentile(back, 1):.2f} s"}, found)


class _Server:
    """The database server of a site, as its own programs see it."""

    def __init__(self, at: Site) -> None:
        with at.db.read() as session:
            self._data = Path(session.execute(text("SHOW data_directory")).scalar_one())
            version = int(session.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
        self._tools = Path(f"/usr/lib/postgresql/{version}/bin")
        self._options = (self._data / "postmaster.opts").read_text().split('"', 1)[-1]
        self._owner = self._data.owner()
        self._db = at.db

    def restart(self) -> None:
        """Stop as a crash would, and start again."""
        self._run("-m", "immediate", "-t", "60", "stop")
        options = (self._data / "postmaster.opts").read_text()
        given = options.split(" ", 1)[1].strip() if " " in options else ""
        self._run("-o", given.replace('"', "'"), "-l", str(self._data.parent / "log"), "-w", "start")
        self._db.reading.dispose()

    def _run(self, *arguments: str) -> None:
        command = ["runuser", "-u", self._owner, "--", str(self._tools / "pg_ctl"), "-D", str(self._data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


HARNESS = Harness(run, guards={"synchronous_commit": "both"}, databases=("postgresql",), times=10)
