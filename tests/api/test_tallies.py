"""The counts of items that the database keeps. That they are right after every test, tests/conftest.py sees to."""

from sqlalchemy import delete, func, insert, select, text, update

from app.db import Database, Item, ItemTally
from app.services import recounting, retention, tallies
from tests.conftest import Api


def rows_of(db: Database, project: int) -> int:
    with db.read() as session:
        return session.execute(
            select(func.count()).select_from(ItemTally).where(ItemTally.project_id == project)
        ).scalar_one()


def tally(db: Database, project: int) -> tallies.Tally:
    with db.read() as session:
        return tallies.of_project(session, project)


def test_items_are_counted_by_state_split_and_answer_as_statements_change_many_of_them(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    assert tally(api.db, project).there == 0
    boss.push(project, [{"key": f"k{each}", "text": f"text {each}"} for each in range(30)])
    boss.push(project, [{"key": f"t{each}", "text": f"test {each}", "split": "audit"} for each in range(3)])

    with api.db.write() as session:
        some = select(Item.id).where(Item.project_id == project, Item.split == "pool").order_by(Item.id)
        session.execute(update(Item).where(Item.id.in_(some.limit(12))).values(done=True))
        session.execute(update(Item).where(Item.id.in_(some.limit(4))).values(state="excluded"))
        session.execute(update(Item).where(Item.id.in_(some.limit(9))).values(skips=2))  # counts nothing else
        session.execute(update(Item).where(Item.key.in_(("k28", "t1"))).values(state="deleted"))
        session.execute(delete(Item).where(Item.key == "k29"))

    found = tally(api.db, project)
    assert found.of("open", split="pool", done=True) == 8
    assert found.of("open", split="pool", done=False) == 16
    assert found.of("open", split="audit") == 2
    assert (found.of("excluded"), found.of("deleted"), found.there) == (4, 2, 30)
    assert found.of("open", "excluded") == 30


def test_a_change_that_is_taken_back_is_not_counted(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "purr"}])
    before = tally(api.db, project)

    try:
        with api.db.write() as session:
            session.execute(update(Item).where(Item.project_id == project).values(done=True))
            raise InterruptedError
    except InterruptedError:
        pass

    assert tally(api.db, project) == before


def test_rows_are_put_together_and_what_others_hold_is_left(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    for each in range(5):
        boss.push(project, [{"key": str(each), "text": f"text {each}"}])
    before = tally(api.db, project)

    with api.db.write() as held:
        if not api.db.is_sqlite:
            held.execute(text("SELECT id FROM item_tallies ORDER BY id LIMIT 1 FOR UPDATE"))
            tallies.put_together(api.db, project)
            assert rows_of(api.db, project) == 2
    tallies.put_together(api.db, project)

    assert rows_of(api.db, project) == 1
    assert tally(api.db, project) == before


def test_the_daily_job_puts_many_rows_together(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "purr"}])
    before = tally(api.db, project)
    if not api.db.is_sqlite:  # which has one row of each count
        same = {"project_id": project, "state": "open", "split": "pool", "done": False}
        with api.db.write() as session:
            session.execute(insert(ItemTally), [same | {"count": (-1) ** each} for each in range(tallies.MANY)])
        assert rows_of(api.db, project) > tallies.MANY

    retention.request_missing(api.db)
    api.worker().run_waiting()

    assert rows_of(api.db, project) == 1
    assert tally(api.db, project) == before


def test_a_wrong_count_is_found_by_the_check(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "purr"}])
    row = {"project_id": project, "state": "open", "split": "pool", "done": False}

    with api.db.write() as session:
        session.execute(insert(ItemTally).values(**row, count=2))
        assert list(session.execute(text(recounting.COUNTED.broken)).scalars()) == [project]
        session.execute(insert(ItemTally).values(**row, count=-2))


def test_a_round_puts_the_rows_of_a_project_together(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(
        project, [{"key": str(each), "text": f"text {each} {'purr' if each % 2 else 'bark'}"} for each in range(30)]
    )
    api.run_jobs()
    for _ in range(6):
        lease = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        boss.post("/annotations", json={"lease": lease["id"], "label": {"class": "cat"}})

    boss.post(f"/projects/{project}/rounds", json={})
    api.run_jobs()

    assert rows_of(api.db, project) == 2  # open ones and answered ones
