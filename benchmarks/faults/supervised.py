"""`labelwise serve` as people start it: its web process killed, its worker killed in a round, and ended by SIGTERM.

What is measured: seconds until answers come again, seconds until the killed round is run again, seconds until the end.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.db import Job, Round
from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run, percentile
from benchmarks.faults.people import labelling
from benchmarks.faults.site import Site, site

ROOT = Path(__file__).resolve().parents[2]
BACK_SECONDS, AGAIN_SECONDS, END_SECONDS = 10.0, 5.0, 15.0
WITHOUT = (
    "from benchmarks.faults import guards; guards.remove({!r}); from app.cli import main; raise SystemExit(main())"
)
THINK_SECONDS = 1.0
GIVEN_UP_SECONDS = 60.0
STEADY_SECONDS = 31.0  # a child that ran for longer is started again at once


def run(run: Run) -> Outcome:
    """So many kills of each kind, then the end; a `times` of 1 takes two minutes."""
    chance = random.Random(run.seed)
    back, again, steady = [], [], STEADY_SECONDS if run.times > 1 else 0.0
    with site(run.database, run.people) as at:
        process = _start(at, run.without)
        try:
            at.serving()
            at.set_up(items=4_000 * run.times, round_size=20)  # as many as people answer meanwhile
            journal = Journal(at.data.parent / "journal.jsonl")
            with labelling(at, at.people, journal, seed=run.seed, think=THINK_SECONDS):
                for _ in range(run.times):
                    time.sleep(steady + chance.random())
                    _kill(process.pid, "app.cli.child")
                    begun, before = time.monotonic(), len(journal.acked)
                    while len(journal.acked) == before and time.monotonic() - begun < GIVEN_UP_SECONDS:
                        time.sleep(0.01)
                    back.append(time.monotonic() - begun)
                    time.sleep(steady)
                    again.append(_killed_round(at, process.pid))
                begun = time.monotonic()
                process.send_signal(signal.SIGTERM)
                code = process.wait(60)
                took = time.monotonic() - begun
            found = violations(at, journal)
        finally:
            process.kill()
    limits = (("back after a kill", back, BACK_SECONDS), ("a killed round again", again, AGAIN_SECONDS))
    found += [f"{what} took {max(each):.1f} s" for what, each, most in limits if max(each) > most]
    found += [f"the end took {took:.1f} s"] if took > END_SECONDS or code != 0 else []
    figures: dict[str, Any] = {name: f"{percentile(each, 1):.1f} s at most" for name, each, _ in limits}
    figures |= {"ended after": f"{took:.1f} s", "acknowledged": len(journal.acked)}
    return Outcome(run.times, figures, found)


def _start(at: Site, without: str) -> "subprocess.Popen[bytes]":
    plain = {name: value for name, value in os.environ.items() if not name.startswith("LABELWISE_")}
    environment = plain | {"PYTHONPATH": str(ROOT), "LABELWISE_DATA": str(at.data), "LABELWISE_DATABASE_URL": at.url}
    program = ["-c", WITHOUT.format(without)] if without else ["-m", "labelwise"]
    command = [sys.executable, *program, "serve", "--port", str(at.port)]
    log = (at.data.parent / "log").open("wb")
    return subprocess.Popen(command, env=environment, cwd=at.data.parent, stdout=log, stderr=log)


def _kill(parent: int, words: str) -> None:
    """Kill the child of a process that has these words in its command."""
    listed = subprocess.run(
        ["ps", "--ppid", str(parent), "-o", "pid=,args="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        if words in line:
            os.kill(int(line.split()[0]), signal.SIGKILL)
            return
    raise RuntimeError(f"no child with {words}: {re.sub(' +', ' ', listed.stdout)}")


def _killed_round(at: Site, parent: int) -> float:
    """Kill the worker while it is at a round; seconds until that round is published after all."""
    until = time.monotonic() + GIVEN_UP_SECONDS
    while time.monotonic() < until:
        with at.db.read() as session:
            job = session.execute(select(Job.id).where(Job.kind == "round", Job.state == "running")).scalar()
        if job is not None:
            break
        time.sleep(0.002)
    else:
        raise RuntimeError("no round ran within a minute")
    _kill(parent, "labelwise worker")
    begun = time.monotonic()
    published = select(Round.id).where(Round.job_id == job, Round.published_at.is_not(None))
    while time.monotonic() - begun < GIVEN_UP_SECONDS:
        with at.db.read() as session:
            if session.execute(published).scalar() is not None:
                break
        time.sleep(0.01)
    return time.monotonic() - begun


HARNESS = Harness(run, guards={"burial": "both"}, databases=("sqlite",), times=3, proof=1)
