"""Two hours of people and rounds: memory, open files, threads and connections grow by at most 5 % after the first ten
minutes. `--seconds` is how long; the first twelfth is left out. Each measurement is written to benchmarks/out too."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.people import labelling
from benchmarks.faults.site import How, Site, end, site

SECONDS, PROOF_SECONDS, PROOF_ITEMS = 7_200.0, 60.0, 6_000
PEOPLE, THINK_SECONDS, ITEMS = 50, 2.0, 400_000
MOST_GROWTH = 0.05
OUT = Path(__file__).resolve().parents[1] / "out" / "soak.json"
SPARE = {"memory": 4e6, "files": 3, "threads": 2, "connections": 2}  # what a measurement wavers by
MEASURED = tuple(SPARE)


def run(run: Run) -> Outcome:
    """One run of the server and its worker; a measurement a minute, kept as medians of the first and last quarters."""
    seconds = run.seconds or (PROOF_SECONDS if run.without else SECONDS)
    with site(run.database, PEOPLE if run.people == 20 else run.people) as at:
        server, worker = at.server(How(without=run.without)), at.worker()
        watched: dict[str, int | None] = {"server": server.pid, "worker": worker.pid}
        measured: dict[tuple[str, str], list[float]] = {(who, what): [] for who in watched for what in MEASURED}
        try:
            at.serving()
            at.set_up(items=min(ITEMS, run.times), round_size=50)
            journal = Journal(at.data.parent / "journal.jsonl")
            with labelling(at, at.people, journal, seed=run.seed, think=THINK_SECONDS):
                time.sleep(seconds / 12)
                until = time.monotonic() + seconds * 11 / 12
                while time.monotonic() < until:
                    for who, pid in watched.items():
                        for what, look in _looks(at, int(pid or 0)).items():
                            measured[who, what].append(look())
                    time.sleep(min(60.0, seconds / 60))
            found = violations(at, journal)
        finally:
            end(server, worker)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({f"{who} {what}": values for (who, what), values in measured.items()}))
    figures: dict[str, object] = {"seconds": round(seconds), "acknowledged": len(journal.acked)}
    for (who, what), values in measured.items():
        first, last = _middle(values[: max(1, len(values) // 4)]), _middle(values[-max(1, len(values) // 4) :])
        figures[f"{who} {what}"] = f"{first:,.0f} to {last:,.0f}"
        if last > first * (1 + MOST_GROWTH) + SPARE[what]:
            found.append(f"the {who}'s {what} grew from {first:,.0f} to {last:,.0f}")
    found += [f"{count} answers with {code}" for code, count in journal.statuses.items() if code >= 500]
    return Outcome(run.times, figures, found)


def _looks(at: Site, pid: int) -> dict[str, Callable[[], float]]:
    process = Path(f"/proc/{pid}")
    return {
        "memory": lambda: float(_line(process / "status", "RssAnon:")) * 1_024,
        "files": lambda: len(list((process / "fd").iterdir())),
        "threads": lambda: float(_line(process / "status", "Threads:")),
        "connections": lambda: _connections(at),
    }


def _line(file: Path, begin: str) -> str:
    return next(line.split()[1] for line in file.read_text().splitlines() if line.startswith(begin))


def _connections(at: Site) -> float:
    if at.db.is_sqlite:
        return 0
    with at.db.read() as session:
        count = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return float(session.execute(count).scalar_one())


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


HARNESS = Harness(run, guards={"give_back": "both"}, times=ITEMS, proof=PROOF_ITEMS)
