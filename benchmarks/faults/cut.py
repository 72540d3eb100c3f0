"""Connections cut after the commit and before the answer, delayed, doubled, lost: each answer counts exactly once.

On PostgreSQL the connections between the server and the database are cut and stalled too; people hear 503 at most, and
the server goes on by itself.
"""

import random
import time
from contextlib import ExitStack
from dataclasses import replace

from sqlalchemy import make_url

from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run, percentile
from benchmarks.faults.people import labelling
from benchmarks.faults.proxy import Proxy, between
from benchmarks.faults.site import How, Site, end, site

SHARE = 0.3  # of exchanges that go wrong
MOST_SECONDS = 600.0
STALL_SECONDS = 3.0
EVERY = 30  # exchanges that go wrong between two cuts of the database's connections


def run(run: Run) -> Outcome:
    """Until so many exchanges went wrong."""
    chance = random.Random(run.seed)
    back: list[float] = []
    with ExitStack() as stack:
        at = stack.enter_context(site(run.database, run.people))
        behind = None if run.database == "sqlite" else stack.enter_context(between(_socket(at), http=False))
        served = at if behind is None else replace(at, url=_through(at, behind.port))
        server, worker = served.server(How(without=run.without)), at.worker()
        try:
            at.serving()
            at.set_up(items=300 + 5 * run.times)
            proxy = stack.enter_context(between(at.port, seed=run.seed, share=SHARE))
            journal = Journal(at.data.parent / "journal.jsonl")
            with labelling(at, at.people, journal, seed=run.seed, port=proxy.port):
                until = time.monotonic() + MOST_SECONDS
                while sum(proxy.made.values()) < run.times and time.monotonic() < until:
                    time.sleep(0.1)
                    if behind is not None and sum(proxy.made.values()) > EVERY * (len(back) + 1):
                        back.append(_cut(behind, journal, chance))
                proxy._share = 0.0
            found = violations(at, journal)
        finally:
            end(server, worker)
    strange = {status: count for status, count in journal.statuses.items() if status >= 500 and status != 503}
    found += [f"{count} answers with {status}" for status, count in strange.items()]
    figures = {"acknowledged": len(journal.acked), **proxy.made, "statuses": dict(journal.statuses)}
    if back:
        figures["database cut"] = f"{len(back)} times, back after at most {percentile(back, 1):.2f} s"
    return Outcome(sum(proxy.made.values()), figures, found)


def _cut(behind: Proxy, journal: Journal, chance: random.Random) -> float:
    """Cut every connection to the database, at times after a while without a byte; seconds until it is back."""
    if chance.random() < 0.5:
        behind.stalled = True
        time.sleep(STALL_SECONDS)
    behind.closed = True
    behind.cut_all()
    behind.stalled = False
    time.sleep(chance.random())
    behind.closed = False
    begun, before = time.monotonic(), len(journal.acked)
    while len(journal.acked) == before and time.monotonic() - begun < 60:
        time.sleep(0.01)
    return time.monotonic() - begun


def _socket(at: Site) -> str | int:
    """Where PostgreSQL listens: a socket file in the folder that its address names, or a port."""
    url = make_url(at.url)
    folder = url.query.get("host")
    port = url.query.get("port") or url.port or 5432
    return f"{folder}/.s.PGSQL.{port}" if folder else int(str(port))


def _through(at: Site, port: int) -> str:
    url = make_url(at.url).set(host="127.0.0.1", port=port, query={"sslmode": "disable", "gssencmode": "disable"})
    return url.render_as_string(hide_password=False)


HARNESS = Harness(run, guards={"idempotency": "both"}, times=200, proof=40)
