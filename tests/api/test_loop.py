"""The loop from push to the new queue, over REST."""

import re
import threading
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects import postgresql

from app.db import QueueEntry, Round, count_anew
from app.services import turn
from app.services.leases import QUEUE
from tests.conftest import Api

pytestmark = pytest.mark.both

WORDS = {"cat": "purrs meows whiskers claws kitten", "dog": "barks wags leash puppy fetch"}


def pets(count: int) -> list[dict]:
    rows = []
    for number in range(count):
        name = ("cat", "dog")[number % 2]
        words = WORDS[name].split()
        said = f"it {words[number % 5]} and {words[(number // 5) % 5]} number {number}"
        rows.append({"key": f"{name}-{number}", "text": said})
    return rows


def test_pushed_items_are_labelled_learned_and_ranked_again(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.2, blind_share=0)["id"]
    assert boss.push(project, pets(300))["created"] == 300
    api.run_jobs()
    status = boss.get(f"/projects/{project}/status").json()
    assert status["queue"]["round"] == 1
    before = boss.get(f"/projects/{project}/rounds/1").json()
    assert before["strategy"] == "coverage"

    for _ in range(30):
        served = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()
        lease = served["leases"][0]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}, "seconds_spent": 1.0}
        stored = boss.post("/annotations", json=body, headers={"Idempotency-Key": str(uuid4())})
        assert stored.status_code == 201, stored.text
    api.run_jobs()

    status = boss.get(f"/projects/{project}/status").json()
    assert status["queue"]["round"] == 2
    assert status["annotations"] == 30
    after = boss.get(f"/projects/{project}/rounds/2").json()
    assert after["strategy"] == "uherding"
    assert after["metrics"]["accuracy"]["value"] > 0.9
    served = boss.post(f"/projects/{project}/leases", json={"count": 20}).json()
    reasons = [lease["reason"]["words"] for lease in served["leases"] if lease["reason"].get("words")]
    assert any(words.startswith(("hesitates", "quite sure")) for words in reasons)


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_a_round_waits_for_nobody_who_is_answering(api: Api) -> None:
    """It removed the places of the order before while answers that share a commit held some: each waited for the other,
    for the second after which PostgreSQL ends that, and everybody behind them too."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, pets(300))
    api.run_jobs()
    boss.post(f"/projects/{project}/rounds")

    def places() -> dict[int, int]:
        with api.db.read() as session:
            counts = select(Round.number, func.count()).join(QueueEntry, QueueEntry.round_id == Round.id)
            return dict(session.execute(counts.group_by(Round.number)).all())

    worker = threading.Thread(target=api.run_jobs)
    with api.db.write() as session:
        session.execute(update(QueueEntry).where(QueueEntry.rank == 7).values(done=True))
        worker.start()
        worker.join(30)
        assert not worker.is_alive()
    assert places()[1] == 1
    assert places()[2] > 100

    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    assert set(places()) == {3}


def forget_counts(api: Api) -> None:
    """Let PostgreSQL know as much of its tables as when they were made, and not look at them by itself."""
    with api.db.write() as session:
        for table in ("items", "queue", "leases"):
            session.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            session.execute(text(f"UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname = '{table}'"))
            session.execute(text(f"DELETE FROM pg_statistic WHERE starelid = CAST('{table}' AS regclass)"))


def counted(api: Api, table: str) -> float:
    """How many rows PostgreSQL takes a table to have."""
    with api.db.read() as session:
        return session.execute(text(f"SELECT reltuples FROM pg_class WHERE relname = '{table}'")).scalar_one()


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_a_pool_that_was_just_pushed_is_counted_and_not_walked_for_a_lease(api: Api) -> None:
    """A lease walked every item for each place of the order: a second on 100,000, for the first minute."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    forget_counts(api)
    boss.push(project, pets(1_500))
    api.run_jobs()
    assert counted(api, "items") >= 1_500
    assert counted(api, "queue") >= 200

    forget_counts(api)
    assert "pk_items on items" in plan_of_a_lease(api)


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_a_lease_looks_at_the_first_places_of_the_order_and_does_not_sort_all_of_them(api: Api) -> None:
    """It took one in a hundred thousand to be free, so it looked at each of 3,500 places and sorted them: 60 ms, for
    which everybody else waited, and the later the more."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, pets(1_500))
    api.run_jobs()
    with api.db.write() as session:
        for table in ("items", "queue", "leases"):
            session.execute(text(f"ANALYZE {table}"))
    plan = plan_of_a_lease(api)
    assert re.search(r"Index Scan using (ix_queue_next|pk_queue) on queue", plan), plan
    assert "Sort" not in plan, plan


def plan_of_a_lease(api: Api) -> str:
    """How PostgreSQL finds the next items of the order."""
    with api.db.read() as session:
        values = {"round": 1, "annotator": 1, "overlap": 1, "limit": 8}
        words = str(QUEUE.brief.compile(dialect=postgresql.dialect(paramstyle="named")))
        words = re.sub(r"(?<!:):(\w+)", lambda found: str(values[found[1]]), words)
        return "\n".join(session.execute(text(f"EXPLAIN {words}")).scalars())


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_places_are_removed_by_their_addresses_whatever_is_known_of_the_table(api: Api) -> None:
    """The first round of a project compared each of 4,000 places with each other one, for 9 seconds."""
    boss = api.as_("boss")
    boss.push(boss.project()["id"], pets(1_500))
    api.run_jobs()
    forget_counts(api)
    with api.db.write() as session:
        places = QueueEntry.round_id == 1
        words = str(delete(QueueEntry).where(turn.free(session, places)).compile(dialect=postgresql.dialect()))
        words = re.sub(r"%[(]\w+[)]s", "1", words)
        plan = "\n".join(session.execute(text(f"EXPLAIN {words}")).scalars())
    assert "InitPlan" in plan, plan  # those that are free are looked for once, and compared with nothing
    assert "Loop" not in plan, plan
    assert "Join" not in plan, plan


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_nothing_is_compiled_before_it_is_run(api: Api) -> None:
    """PostgreSQL compiled the statement of a lease because it took it for long: 100 ms in place of one."""
    with api.db.read() as session:
        assert session.execute(text("SHOW jit")).scalar_one() == "off"


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_a_table_that_was_looked_at_while_it_was_being_written_is_looked_at_again(api: Api) -> None:
    """PostgreSQL's own look at that moment found pages and no row, and was believed from then on."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    forget_counts(api)
    boss.push(project, pets(1_500))
    with api.db.write() as session:
        session.execute(text("UPDATE pg_class SET reltuples = 0 WHERE relname = 'items'"))
        assert session.execute(text("SELECT relpages FROM pg_class WHERE relname = 'items'")).scalar_one() > 0
    count_anew(api.db)
    assert counted(api, "items") >= 1_500
