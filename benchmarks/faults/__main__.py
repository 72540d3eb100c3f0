"""One bad day: `python -m benchmarks.faults NAME [--times N] [--seed S] [--database sqlite|postgresql] [--write]`.

First the harness proves itself: without each of its guards it has to find something. Then it runs against the product,
where it may find nothing. `--no-proof` leaves the first part out, `--without GUARD` the second. The exit code is 1
where either is not so. `--write` keeps the rows in benchmarks/results/faults.md.
"""

import argparse
import importlib
import os
import sys
from dataclasses import replace

from app.core import memory
from benchmarks.faults.outcome import Harness, Run, keep, row

NAMES = (
    "server_kills", "worker_kills", "database_kills", "cut", "disk_full", "clock", "frozen_worker", "memory", "damaged",
    "restore_drill", "migration_kills", "durability", "supervised", "soak", "load",
)  # fmt: skip


def main() -> int:
    """Run one harness; 0 where it proved itself and found nothing."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("name", choices=NAMES)
    given.add_argument("--times", type=int, default=0, help="kills, cuts, files; each harness has its own number")
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--seconds", type=float, default=0, help="how long, where it is a matter of time")
    given.add_argument(
        "--database", choices=("sqlite", "postgresql"), help="one of them; each that it is for unless set"
    )
    given.add_argument("--people", type=int, default=20)
    given.add_argument("--without", default="", help="a guard that is taken away, instead of the run with all of them")
    given.add_argument("--no-proof", action="store_true")
    given.add_argument("--write", action="store_true")
    options = given.parse_args()
    os.environ.update(memory.FEW_HEAPS)  # as `labelwise serve` starts its processes
    harness: Harness = importlib.import_module(f"benchmarks.faults.{options.name}").HARNESS
    databases = (options.database,) if options.database else harness.databases
    good = [_on(harness, options, database) for database in databases]
    return 0 if all(good) else 1


def _on(harness: Harness, options: argparse.Namespace, database: str) -> bool:
    times = options.times or harness.times
    run = Run(times, options.seed, options.seconds, database, "", options.people)
    proofs = [options.without] if options.without else [] if options.no_proof else list(harness.guards)
    runs = [
        replace(run, without=each, times=min(times, harness.proof)) for each in proofs if _is_for(harness, each, run)
    ]
    good = True
    for each in runs if options.without else [*runs, run]:
        outcome = harness.run(each)
        print(row(options.name, each, outcome), flush=True)
        good = good and bool(outcome.violations) == bool(each.without)
        if options.write:
            keep(options.name, each, outcome)
    return good


def _is_for(harness: Harness, guard: str, run: Run) -> bool:
    return harness.guards.get(guard, "both") in ("both", run.database)


if __name__ == "__main__":
    sys.exit(main())
