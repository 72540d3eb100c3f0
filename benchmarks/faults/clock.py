"""Clocks that jump by hours and days: leases and rounds follow the database's time, on SQLite the process's own."""

import random
import time

from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.people import labelling
from benchmarks.faults.site import How, Site, end, site

JUMPS = (3_600, -3_600, 86_400, -86_400, 30, -30)  # seconds
LEASE_SECONDS = 4
SPARE_SECONDS = 1.0


def run(run: Run) -> Outcome:
    """Jump while people label; a lease that nobody answers is given on after its end, and not before."""
    chance = random.Random(run.seed)
    found, back = [], []
    with site(run.database, min(run.people, 6)) as at:
        shift = at.data.parent / "shift"
        shift.write_text("0")
        how = How(without=run.without, lease_seconds=LEASE_SECONDS, shift_file=str(shift))
        server, worker = at.server(how), at.worker(how)
        try:
            at.serving()
            at.set_up(items=3)  # few, so that what one person holds is soon what the next one waits for
            for _ in range(run.times):
                jump = chance.choice(JUMPS)
                early, after = _held_and_given_on(at, shift, jump)
                back.append(after)
                found += [f"a jump of {jump} s gave a lease on {early:.1f} s after it was given"] if early else []
                if after > LEASE_SECONDS + 5:
                    found.append(f"after a jump of {jump} s an item came back after {after:.1f} s only")
            at.set_up(items=100)
            journal = Journal(at.data.parent / "journal.jsonl")
            with labelling(at, at.people, journal, seed=run.seed):
                for jump in JUMPS:
                    time.sleep(0.3)
                    shift.write_text(str(jump))
            found += violations(at, journal)
        finally:
            end(server, worker)
    figures = {"lease": f"{LEASE_SECONDS} s", "given on after": f"{min(back):.1f} to {max(back):.1f} s"}
    return Outcome(run.times, figures | {"acknowledged": len(journal.acked)}, found)


def _held_and_given_on(at: Site, shift: object, jump: int) -> tuple[float, float]:
    """One person takes everything and vanishes, the clock jumps, another asks: when it came early, and when it came."""
    first, second = at.people[:2]
    with at.client(first) as one, at.client(second) as other:
        path = f"/projects/{at.project}/leases"
        until = time.monotonic() + 30
        while not (taken := one.post(path, json={"count": 3}).json()["leases"]) and time.monotonic() < until:
            time.sleep(0.1)
        given = time.monotonic()
        shift.write_text(str(jump))  # type: ignore[attr-defined]
        while not (leases := other.post(path, json={"count": 3}).json()["leases"]):
            if time.monotonic() - given > 3 * LEASE_SECONDS:
                break
            time.sleep(0.1)
        after = time.monotonic() - given
        for lease in leases:
            other.delete(f"/leases/{lease['id']}")
        shift.write_text("0")  # type: ignore[attr-defined]
        time.sleep(LEASE_SECONDS + 0.2)  # whatever is held still comes back
    early = bool(taken) and bool(leases) and after < LEASE_SECONDS - SPARE_SECONDS
    return (after if early else 0.0), after


HARNESS = Harness(run, guards={"clock": "both"}, times=6, proof=4)
