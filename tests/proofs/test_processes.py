"""Real processes: several web processes and workers on one project, and a server killed at the worst moment."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from sqlalchemy import func, select

from app.core.settings import Settings
from app.db import Annotation, Database, Job, Lease, Round
from app.main import create_app
from app.services.answers import StoredAnnotation
from tests import forks
from tests.api.test_loop import pets
from tests.processes import free_port, running, token_of, wait_for

PEOPLE, ANSWERS = 6, 15


def server(data: Path, url: str, port: int, dies: bool, _told: Connection) -> None:
    """A server; one that dies does so right after the commit of its first answer, before anybody hears of it."""
    store = Database.store_together

    async def store_and_die(self: Database, work: Any) -> Any:
        result = await store(self, work)
        if isinstance(result, StoredAnnotation):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    if dies:
        Database.store_together = store_and_die  # type: ignore[method-assign]
    settings = Settings(data=data, database_url=url, _env_file=None)
    uvicorn.run(create_app(settings), port=port, log_level="warning")


@contextmanager
def forked(db: Database, settings: Settings, port: int, *, dies: bool) -> Iterator[None]:
    """A server process on a database."""
    url = db.url.render_as_string(hide_password=False)
    process, heard = forks.started(server, settings.data, url, port, dies)
    try:
        yield
    finally:
        process.terminate()
        process.join(30)
        heard.close()


def made(client: httpx.Client, people: int) -> int:
    """A project with 300 items and members."""
    task = {"type": "classification", "classes": ["cat", "dog"]}
    body = {"name": "Pets", "modality": "text", "task": task, "round_size": 20}
    project: int = client.post("/projects", json=body).raise_for_status().json()["id"]
    for number in range(people):
        member = {"user": f"person {number}", "role": "annotator"}
        client.post(f"/projects/{project}/members", json=member).raise_for_status()
    client.post(f"/projects/{project}/items", json=pets(300)).raise_for_status()
    return project


def label(address: str, project: int, headers: dict[str, str]) -> list[int]:
    """Answer some items as one person; which they were."""
    answered = []
    with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
        while len(answered) < ANSWERS:
            served = client.post(f"/projects/{project}/leases", json={"count": 3}).raise_for_status().json()
            if served["state"] == "preparing":
                time.sleep(0.1)
            for lease in served["leases"]:
                body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}}
                stored = client.post("/annotations", json=body, headers={"Idempotency-Key": str(uuid4())})
                answered.append(stored.raise_for_status().json()["item"])
    return answered


def test_several_processes_give_each_item_once_and_run_each_round_once(db: Database, settings: Settings) -> None:
    people = [token_of(db, f"person {number}") for number in range(PEOPLE)]
    boss = token_of(db, "boss", admin=True)
    port = free_port()
    serve = ["-m", "labelwise", "serve", "--port", str(port), "--web-processes", "2"]
    address = f"http://127.0.0.1:{port}"
    with running(serve, ["-m", "labelwise", "worker"], db=db, settings=settings):
        wait_for(address)
        with httpx.Client(base_url=f"{address}/api/v1", headers=boss, timeout=30) as client:
            project = made(client, PEOPLE)
            with ThreadPoolExecutor(PEOPLE) as pool:
                each = list(pool.map(lambda headers: label(f"{address}/api/v1", project, headers), people))
            items = [item for answered in each for item in answered]
            assert len(items) >= PEOPLE * ANSWERS
            assert len(items) == len(set(items))  # nobody was given what somebody else had
            end = time.monotonic() + 30
            while client.get(f"/projects/{project}/status").json()["queue"]["round"] in (None, 1):
                assert time.monotonic() < end, "no round was run after the answers"
                time.sleep(0.1)
    with db.read() as session:
        assert session.execute(select(func.count()).select_from(Annotation)).scalar_one() == len(items)
        taken = session.execute(select(Lease.item_id).where(Lease.state.in_(("live", "answered")))).scalars().all()
        assert len(taken) == len(set(taken))
        rounds = session.execute(select(Round).order_by(Round.number)).scalars().all()
        assert [each.number for each in rounds] == list(range(1, len(rounds) + 1))
        for earlier, later in itertools.pairwise(rounds):  # one after the other, never two at once
            assert earlier.finished_at is None or earlier.finished_at <= later.created_at
        assert {each.state for each in session.execute(select(Job)).scalars()} <= {"done", "waiting", "running"}


def test_a_retry_finds_the_answer_of_a_server_that_died_between_commit_and_reply(
    db: Database, settings: Settings
) -> None:
    headers = token_of(db, "boss", admin=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    key = {"Idempotency-Key": str(uuid4())}
    with forked(db, settings, port, dies=True):
        wait_for(address)
        with httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30) as client:
            project = made(client, 0)
            [lease] = client.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
            body = {"lease": lease["id"], "label": {"class": "cat"}, "seconds_spent": 2}
            try:
                client.post("/annotations", json=body, headers=key)
            except httpx.TransportError:
                pass
            else:
                raise AssertionError("the server was to die before it answered")
    with forked(db, settings, port, dies=False):
        wait_for(address)
        with httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30) as client:
            again = client.post("/annotations", json=body, headers=key)
            assert again.status_code == 201, again.text
            without_key = client.post("/annotations", json=body)
            assert (without_key.status_code, without_key.json()["id"]) == (201, again.json()["id"])
    with db.read() as session:
        [stored] = session.execute(select(Annotation)).scalars()
        assert (stored.id, stored.seconds_spent, stored.counted) == (again.json()["id"], 2, True)


@pytest.mark.night
def test_a_server_that_is_told_to_end_answers_those_who_wait(db: Database, settings: Settings) -> None:
    headers, port = token_of(db, "boss", admin=True), free_port()
    address = f"http://127.0.0.1:{port}/api/v1"
    serve = ["-m", "labelwise", "serve", "--port", str(port), "--no-worker"]
    with ThreadPoolExecutor(2) as pool:
        with running(serve, db=db, settings=settings):
            wait_for(f"http://127.0.0.1:{port}")
            with httpx.Client(base_url=address, headers=headers) as client:
                project = f"{address}/projects/{made(client, 0)}"
            news = (f"{project}/annotations?wait=30", f"{project}/status?wait=30")
            waiting = [pool.submit(httpx.get, each, headers=headers, timeout=60) for each in news]
            time.sleep(1)
            told = time.monotonic()

        assert [each.result(timeout=30).status_code for each in waiting] == [200, 200]
        assert time.monotonic() - told < 4  # those that do not answer are cut off after five seconds
