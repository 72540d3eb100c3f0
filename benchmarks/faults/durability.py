"""The order of an answer: its log is synced to the disk before it leaves the server. Traced by strace.

On SQLite each answer is looked at: between the last byte of the request and the first of the answer its log was written
and synced. On PostgreSQL the settings of our own connections are looked at, whatever the server's are.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text

from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.site import How, Site, end, run_due, site

CALLS = "fsync,fdatasync,pwrite64,recvfrom,sendto,read,write,sendmsg"
LINE = re.compile(r"^(?P<pid>\d+) +[\d.]+ +(?P<what>.*)$")
ITEMS_AT_ONCE = 50


def run(run: Run) -> Outcome:
    """So many answers, one after the other, of a traced server."""
    if run.database == "postgresql":
        return _settings(run)
    if shutil.which("strace") is None:
        raise RuntimeError("strace is not here: apt-get install strace")
    with site("sqlite", 0) as at:
        server = at.server(How(without=run.without))
        trace = at.data.parent / "trace"
        try:
            at.serving()
            with at.client() as client:
                body = {"name": "Traced", "modality": "text", "task": {"classes": ["cat", "dog"]}}
                at.project = client.post("/projects", json=body).raise_for_status().json()["id"]
                rows = [{"key": f"k{number}", "text": f"text {number}"} for number in range(run.times + 20)]
                client.post(f"/projects/{at.project}/items", json=rows).raise_for_status()
            run_due(at)
            command = [
                "strace",
                "-f",
                "-y",
                "-ttt",
                "-s",
                "64",
                "-e",
                f"trace={CALLS}",
                "-o",
                str(trace),
                "-p",
                str(server.pid),
            ]
            tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(1)
            answered = _label(at, run.times)
            tracer.terminate()
            tracer.wait(30)
        finally:
            end(server)
        looked, early = _order(trace)
    found = [f"{early} of {looked} answers left before their log was synced"] if early else []
    found += [] if looked >= answered else [f"only {looked} of {answered} answers were seen in the trace"]
    return Outcome(answered, {"answers seen": looked}, found)


def _label(at: Site, count: int) -> int:
    """Answer so many items, one after the other."""
    done = 0
    with at.client() as client:
        while done < count:
            wanted = {"count": min(ITEMS_AT_ONCE, count - done)}
            for lease in client.post(f"/projects/{at.project}/leases", json=wanted).raise_for_status().json()["leases"]:
                body = {"lease": lease["id"], "label": {"class": "cat"}}
                headers = {"Idempotency-Key": str(uuid4())}
                client.post("/annotations", json=body, headers=headers).raise_for_status()
                done += 1
    return done


def _order(trace: Path) -> tuple[int, int]:
    """How many answers with 201 the trace has, and how many of them left with a log that was written and not synced."""
    looked = early = 0
    written = synced = False
    for what in _calls(trace):
        if "POST /api/v1/annotations" in what:
            written = synced = False
        elif "labelwise.db-wal" in what:
            if what.startswith("pwrite64"):
                written, synced = True, False
            elif what.startswith(("fsync", "fdatasync")) and what.endswith("= 0"):
                synced = written
        elif "HTTP/1.1 201" in what:
            looked += 1
            early += not (written and synced)
    return looked, early


def _calls(trace: Path) -> Iterator[str]:
    """The calls of all threads: a sync where it ended, an answer where it began."""
    begun: dict[str, str] = {}
    for line in trace.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        pid, what = match["pid"], match["what"].strip()
        if what.endswith("<unfinished ...>"):
            begun[pid] = what
            if "HTTP/1.1 201" in what:
                yield what
        elif "resumed>" in what:
            whole = begun.pop(pid, "") + what
            if "HTTP/1.1 201" not in whole:
                yield whole
        else:
            yield what


def _settings(run: Run) -> Outcome:
    """Our connections ask for the sync, also of a server whose own setting leaves it out."""
    with site("postgresql", 0, "-c synchronous_commit=off") as at, at.db.read() as session:
        ours = session.execute(text("SHOW synchronous_commit")).scalar_one()
        server = session.execute(
            text("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
        ).scalar_one()
        fsync = session.execute(text("SHOW fsync")).scalar_one()
    found = [f"our connections have synchronous_commit {ours}"] if ours != "on" else []
    return Outcome(1, {"the server's": server, "ours": ours, "fsync": fsync}, found)


HARNESS = Harness(run, guards={"synchronous": "sqlite"}, times=1_000, proof=50)
