"""Audit items without an answer, however they were given, and the pool that the audit answers speak of."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.db import Item, Lease, Project
from app.loop.serving import audit_place
from app.services import reaching
from tests.api.test_audit_choice import patch
from tests.api.test_loop import pets
from tests.api.test_reaching import answer, evaluated, later
from tests.api.test_slices import member
from tests.conftest import Api


def surely(metrics: dict[str, Any]) -> float:
    """The lower end of the accuracy."""
    return float(metrics["accuracy"]["low"])


@pytest.mark.parametrize("how", ["held", "given back", "selected", "skipped"])
def test_items_without_an_answer_are_unknown_however_they_were_given(api: Api, how: str) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    answer(boss, project, 100)
    before = evaluated(api, boss, project)
    boss.push(project, later(400))
    if how == "selected":
        assert boss.post(f"/projects/{project}/select", json={"count": 490}).status_code == 200
    else:
        for name in ("ann", "ben"):
            held = member(api, boss, project, name)
            taken = held.post(f"/projects/{project}/leases", json={"count": 200, "hold_hours": 24}).json()["leases"]
            for lease in taken if how != "held" else ():
                address = f"/leases/{lease['id']}"
                done = held.post(f"{address}/skip", json={}) if how == "skipped" else held.delete(address)
                assert done.status_code < 300

    after = evaluated(api, boss, project)

    assert surely(before) > 0.9
    assert after["accuracy"]["value"] == 1.0
    assert surely(after) < 0.5
    assert after["how"]["speaks_of"] < 0.5


def test_what_was_asked_of_other_content_is_unknown(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    answer(boss, project, 100)
    boss.push(project, [{**row, "text": f"other {row['text']}"} for row in pets(100)], on_change="replace")

    metrics = evaluated(api, boss, project)

    assert 10 < metrics["accuracy"]["n"] < 50
    assert surely(metrics) < 0.6
    assert metrics["how"]["speaks_of"] < 0.7


def test_the_pool_that_is_spoken_of_is_what_people_are_asked_about(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    answer(boss, project, 100)
    boss.push(project, [{**row, "label": row["key"][:3], "key": f"{row['key']}-known"} for row in pets(400)])

    metrics = evaluated(api, boss, project)

    assert metrics["how"]["speaks_of"] == 1.0
    assert metrics["accuracy"]["n"] > 50


def test_what_a_row_says_of_its_share_holds_in_an_empty_project_alone(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5)["id"]
    boss.push(project, [{**row, "reserved": number < 7} for number, row in enumerate(pets(20))])
    boss.push(project, [{**row, "reserved": False} for row in later(100)])

    with api.db.read() as session:
        first = session.execute(select(Item.key).where(Item.reserved, Item.id <= 20)).scalars().all()
        second = session.execute(select(Item.key).where(Item.reserved, Item.id > 20)).scalars().all()
    assert len(first) == 7
    assert sorted(second) == sorted(row["key"] for row in later(100) if audit_place(7, row["key"]) < 0.5)


@pytest.mark.parametrize("choice", ["random", "active"])
def test_a_round_ends_where_no_audit_item_is_there_or_left(api: Api, choice: str) -> None:
    boss = api.as_("boss")
    tiny = boss.project(audit_share=0.01, round_size=500, audit_choice=choice)["id"]
    boss.push(tiny, pets(4))
    assert patch(boss, tiny, audit_share=0.02).status_code == 200
    boss.push(tiny, later(4))
    api.run_jobs()
    answer(boss, tiny, 6)
    assert evaluated(api, boss, tiny)["accuracy"] is None

    project = boss.project(name="All", audit_share=1.0, blind_share=0, round_size=20, audit_choice=choice)["id"]
    boss.push(project, pets(40))
    api.run_jobs()
    for _ in range(4):
        answer(boss, project, 10)
        api.run_jobs()

    metrics = evaluated(api, boss, project)

    assert metrics["accuracy"] | {"value": 0} == {"value": 0, "low": 1.0, "high": 1.0, "n": 40}
    assert metrics["how"]["speaks_of"] == 1.0


def test_the_pool_is_counted_up_to_any_ids_or_none(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5)["id"]
    boss.push(project, pets(10))
    boss.push(project, [{**row, "label": row["key"][:3]} for row in later(5)])

    with api.db.read() as session:
        row = session.get_one(Project, project)
        whole, parts = (reaching.pool_of(session, row, ids) for ids in ([], [4, 0, 4, 12]))

    assert whole.size == parts.size == 10
    assert [parts.upto(end) for end in (0, 4, 12)] == [0, 4, 10]


def test_chosen_answers_say_the_same_once_audit_items_are_taken_out_and_come_back(api: Api) -> None:
    boss = api.as_("boss")
    settings = {"audit_choice": "active", "audit_use": "apart"}
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500, **settings)["id"]
    boss.push(project, [row for pair in zip(pets(200), later(200), strict=True) for row in pair])
    api.run_jobs()
    answer(boss, project, 40)
    evaluated(api, boss, project)
    answer(boss, project, 80)
    found = [evaluated(api, boss, project)]
    with api.db.read() as session:
        left = session.execute(select(Item.id).where(Item.reserved, ~Item.done)).scalars().all()
    assert len(left) > 50

    for state in ("excluded", "open"):
        with api.db.write() as session:
            session.execute(update(Item).where(Item.id.in_(left[: len(left) * 3 // 4])).values(state=state))
        found.append(evaluated(api, boss, project))
        answer(boss, project, 6)
        found.append(evaluated(api, boss, project))

    assert {each["how"]["choice"] for each in found} == {"active"}
    values = [each["accuracy"]["value"] for each in found]
    assert max(values) - min(values) < 0.15
    assert all(each["accuracy"]["low"] <= each["accuracy"]["value"] <= each["accuracy"]["high"] for each in found)
    assert found[3]["how"]["speaks_of"] < 0.9  # what came back was not drawn from


@pytest.mark.parametrize("choice", ["random", "active"])
def test_all_items_of_two_audit_shares_are_served_in_the_end(api: Api, choice: str) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.2, blind_share=0, round_size=20)["id"]
    boss.push(project, pets(40))
    assert patch(boss, project, audit_share=0.9).status_code == 200
    boss.push(project, later(40))
    assert patch(boss, project, audit_choice=choice).status_code == 200
    api.run_jobs()
    for _ in range(4):
        answer(boss, project, 20)
        api.run_jobs()

    assert boss.get(f"/projects/{project}/status").json()["items"]["answered"] == 80


def test_what_somebody_skipped_does_not_come_first_to_that_person(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    answer(boss, project, 60)
    boss.push(project, later(200))
    skips = 0
    for _ in range(60):
        (lease,) = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        with api.db.read() as session:
            audits = session.execute(select(Lease.kind).where(Lease.id == lease["id"])).scalar_one() == "audit"
        if audits:
            skips += boss.post(f"/leases/{lease['id']}/skip", json={}).status_code < 300
        else:
            body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}, "seconds_spent": 1.0}
            assert boss.post("/annotations", json=body).status_code == 201

    how = evaluated(api, boss, project)["how"]

    with api.db.read() as session:
        taken = session.execute(select(Lease.item_id).where(Lease.kind == "audit")).scalars().all()
        answered = session.execute(select(Item.draw).where(Item.id.in_(taken), Item.done)).scalars().all()
        waiting = select(Item.id).where(Item.reserved, ~Item.done, Item.draw < max(answered), Item.id.not_in(taken))
        ahead = len(session.execute(waiting).scalars().all())
    assert skips > 10
    assert how["ahead"] <= ahead  # none of those that were skipped
