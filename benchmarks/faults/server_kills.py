"""SIGKILL of the web server at random moments while people label and a worker trains."""

import random
import time

from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run, percentile
from benchmarks.faults.people import labelling
from benchmarks.faults.site import How, end, site

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 1.5


def run(run: Run) -> Outcome:
    """Kill, start again, and compare at the end; the figures are the seconds from the kill to the next answer."""
    chance = random.Random(run.seed)
    how = How(without=run.without)
    back = []
    with site(run.database, run.people) as at:
        server, worker = at.server(how), at.worker()
        try:
            at.serving()
            at.set_up(items=200 + 60 * run.times, round_size=20)
            journal = Journal(at.data.parent / "journal.jsonl")
            with labelling(at, at.people, journal, seed=run.seed):
                for _ in range(run.times):
                    time.sleep(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
                    end(server)
                    server = at.server(how)
                    back.append(at.serving())
            found = violations(at, journal)
        finally:
            end(server, worker)
    unknown = len(journal.sent) - len(journal.acked)
    figures = {"acknowledged": len(journal.acked), "given up": unknown, "statuses": dict(journal.statuses)}
    return Outcome(run.times, figures | {"back after at most": f"{percentile(back, 1):.2f} s"}, found)


HARNESS = Harness(run, guards={"commit_first": "both"}, times=20)
