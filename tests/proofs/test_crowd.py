"""Eight people at once on two processes' worth of connections, and a history that is judged afterwards (I1 to I4)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.db import Database
from app.services import annotations, serving
from app.services.access import Person
from tests.conftest import Api

pytestmark = pytest.mark.both

PEOPLE, ROUNDS, ITEMS = 8, 20, 60


def crowd(api: Api, project: int) -> list[Person]:
    """People who label in a project."""
    names = [f"person{number}" for number in range(PEOPLE)]
    for name in names:
        api.as_(name)
        api.as_("boss").post(f"/projects/{project}/members", json={"user": name, "role": "annotator"})
    with api.db.read() as session:
        ids = dict(session.execute(text("SELECT name, id FROM users")).all())  # type: ignore[arg-type]
    return [Person(ids[name], name) for name in names]


def labels(api: Api, database: Database, person: Person, project: int, barrier: threading.Barrier) -> list[int]:
    """One person's work, every other answer sent twice; the answers that were acknowledged."""
    acknowledged = []
    for turn in range(ROUNDS):
        barrier.wait(60)
        with database.write() as session:
            given = serving.lease(session, api.settings, person, project, 1).leases
        for lease in given:
            request = uuid4()
            for _ in range(1 + turn % 2):
                with database.write() as session:
                    stored = annotations.submit(session, person, lease.id, {"class": "cat"}, request, 1.0)
            acknowledged.append(stored.id)
    return acknowledged


def labels_or_stops(
    api: Api, database: Database, person: Person, project: int, barrier: threading.Barrier
) -> list[int]:
    """The same, and nobody waits for somebody whose request failed."""
    try:
        return labels(api, database, person, project, barrier)
    except BaseException:
        barrier.abort()
        raise


def test_many_people_at_once_leave_a_history_that_the_rules_allow(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(overlap=2, round_size=10_000, audit_share=0)["id"]
    boss.push(project, [{"key": f"k{number}", "text": f"text {number}"} for number in range(ITEMS)])
    people = crowd(api, project)
    processes = [Database(api.db.url.render_as_string(hide_password=False)) for _ in range(2)]
    barrier = threading.Barrier(PEOPLE)

    with ThreadPoolExecutor(PEOPLE) as pool:
        works = [
            pool.submit(labels_or_stops, api, processes[number % 2], person, project, barrier)
            for number, person in enumerate(people)
        ]
        acknowledged = sorted(number for work in works for number in work.result())
    for each in processes:
        each.dispose()

    with api.db.read() as session:
        rows = session.execute(text("SELECT id, item_id, annotator_id FROM annotations ORDER BY item_id")).all()
        done = session.execute(text("SELECT count(*) FROM items WHERE done")).scalar_one()
    givers = [[row.annotator_id for row in own] for _, own in groupby(rows, key=lambda row: row.item_id)]
    assert sorted(row.id for row in rows) == acknowledged  # I3 and I4
    assert [len(each) for each in givers] == [2] * ITEMS  # I1, and nobody starves
    assert all(len(set(each)) == len(each) for each in givers)  # I2
    assert done == ITEMS
