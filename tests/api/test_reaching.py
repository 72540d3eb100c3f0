"""What the audit answers speak of, where items come in later, the audit share changes or people have slices."""

from typing import Any

import pytest
from sqlalchemy import select

from app.db import AuditDraw, Item, Lease, Project, Round
from app.loop.serving import audit_place
from app.services import records
from app.services.rerunning import rerun
from tests.api.test_audit_choice import patch
from tests.api.test_loop import pets
from tests.api.test_slices import member
from tests.conftest import Api, Speaker

FOREIGN = {"cat": "dog", "dog": "cat"}  # what later items are, read by the words of the first ones


def later(count: int) -> list[dict[str, Any]]:
    """Items that a model of the first ones takes for the wrong class."""
    return [{**row, "key": f"{FOREIGN[row['key'][:3]]}-later-{row['key']}"} for row in pets(count)]


def answer(speaker: Speaker, project: int, count: int) -> None:
    """Answer as the keys say."""
    for _ in range(count):
        (lease,) = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}, "seconds_spent": 1.0}
        assert speaker.post("/annotations", json=body).status_code == 201


def evaluated(api: Api, boss: Speaker, project: int) -> dict[str, Any]:
    """The metrics of a round that is run now."""
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    found: dict[str, Any] = boss.get(f"/projects/{project}/rounds").json()["items"][0]["metrics"]
    return found


def test_answers_of_before_a_push_do_not_speak_for_what_came_after_it(api: Api) -> None:
    boss = api.as_("boss")
    goal = {"accuracy": 0.7, "stops": True}
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500, goal=goal)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    answer(boss, project, 60)
    boss.push(project, later(1_800))

    metrics = evaluated(api, boss, project)

    overview = boss.get(f"/projects/{project}/overview").json()
    n = metrics["accuracy"]["n"]
    assert n >= 5
    assert metrics["accuracy"]["value"] == 1.0  # of the first two hundred
    assert metrics["accuracy"]["low"] < 0.2
    assert metrics["how"]["speaks_of"] == pytest.approx(0.1, abs=0.03)
    assert metrics["how"]["unheard"] > 200
    assert not metrics["stopping"]["advice"]["stop"]
    status = boss.get(f"/projects/{project}/status").json()
    assert status["goal_parts"][0]["reached"] is False
    assert "The answers speak of " in overview["words"]["how"]
    unheard, ahead = (f"{metrics['how'][name]:,}" for name in ("unheard", "ahead"))
    late = f"{unheard} audit items came in too late or were passed over; {ahead} of them come first now."
    assert late in overview["words"]["how"]
    assert f"about {metrics['how']['ahead']} more audit answers to speak of all items" in overview["words"]["accuracy"]
    assert overview["audit_request"]["needed"] == metrics["how"]["ahead"]
    assert 10 < metrics["how"]["ahead"] <= metrics["how"]["unheard"]
    assert boss.get(f"/projects/{project}").json()["state"] == "open"

    answer(boss, project, 60)
    after = evaluated(api, boss, project)

    assert (after["how"]["speaks_of"], after["how"]["unheard"], after["how"]["ahead"]) == (1.0, 0, 0)
    assert after["accuracy"]["value"] < 1.0
    with api.db.read() as session:
        last = session.execute(select(Round).order_by(Round.number.desc()).limit(1)).scalar_one()
        judged = set(_judged(api, last))
        late = session.execute(select(Item.id).where(Item.id.in_(judged), Item.key.contains("later"))).scalars().all()
    assert len(late) > 0.8 * len(judged)  # as they are nine tenths of the pool
    assert "speak of" not in (boss.get(f"/projects/{project}/overview").json()["words"]["how"] or "")


def _judged(api: Api, round_: Round) -> list[int]:
    with api.db.read() as session:
        record = records.of_round(session, round_.id)
        assert record is not None
        assert record.judged is not None
        found: list[int] = record.judged["audit"]["items"]
        return found


def test_a_round_whose_answers_did_not_all_judge_replays_the_same(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    answer(boss, project, 60)
    boss.push(project, later(400))
    answer(boss, project, 30)
    metrics = evaluated(api, boss, project)
    answers = boss.get(f"/projects/{project}/status").json()["audit"]["answers"]
    assert metrics["accuracy"]["n"] < answers

    with api.db.read() as session:
        number = session.execute(select(Round.number).order_by(Round.number.desc()).limit(1)).scalar_one()
    again = rerun(api.db, api.settings, project, number)

    assert all(line.same for line in again.lines), again.lines


def test_items_of_two_audit_shares_are_judged_by_what_both_would_have_taken(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.2, blind_share=0, round_size=500)["id"]
    boss.push(project, pets(400))
    assert patch(boss, project, audit_share=0.9).status_code == 200
    boss.push(project, later(60))
    api.run_jobs()
    answer(boss, project, 150)

    metrics = evaluated(api, boss, project)

    with api.db.read() as session:
        row = session.get_one(Project, project)
        assert row.former_shares == [[400, 0.2]]
        last = session.execute(select(Round).order_by(Round.number.desc()).limit(1)).scalar_one()
        keys = session.execute(select(Item.key).where(Item.id.in_(_judged(api, last)))).scalars().all()
        answered = session.execute(select(Item.key).join(Lease).where(Lease.kind == "audit")).scalars().all()
    assert 10 < len(keys) < len(answered)
    assert all(audit_place(7, key) < 0.2 for key in keys)
    assert sum("later" in key for key in keys) < 0.3 * len(keys)
    assert sum("later" in key for key in answered) > 0.3 * len(answered)
    assert metrics["how"]["speaks_of"] > 0.9


def test_the_share_of_an_item_is_that_of_its_neighbours_whenever_it_joins_the_pool(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=1.0)["id"]
    boss.push(project, [{**row, "split": "audit"} for row in pets(20)])
    assert patch(boss, project, audit_share=0.0).status_code == 200
    boss.push(project, later(20))
    assert patch(boss, project, audit_share=0.0).status_code == 200

    boss.push(project, [{**row, "split": "pool"} for row in pets(20)])

    with api.db.read() as session:
        assert session.get_one(Project, project).former_shares == [[20, 1.0]]
        reserved = session.execute(select(Item.key).where(Item.reserved)).scalars().all()
    assert sorted(reserved) == sorted(row["key"] for row in pets(20))


def test_a_share_that_nothing_came_in_with_is_not_remembered(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.1)["id"]
    assert patch(boss, project, audit_share=0.3).status_code == 200
    boss.push(project, pets(10))
    for share in (0.5, 0.2):
        assert patch(boss, project, audit_share=share).status_code == 200

    with api.db.read() as session:
        row = session.get_one(Project, project)
        assert (row.former_shares, row.audit_share) == ([[10, 0.3]], 0.2)


def test_nobody_with_a_slice_is_given_chosen_audit_items(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=20, audit_choice="active")["id"]
    boss.push(project, [{**row, "metadata": {"of": row["key"][:3]}} for row in pets(300)])
    ann = member(api, boss, project, "ann")
    members = boss.get(f"/projects/{project}/members").json()["items"]
    user = next(each["id"] for each in members if each["user"] == "ann")
    api.run_jobs()
    answer(boss, project, 40)
    api.run_jobs()
    assert boss.patch(f"/projects/{project}/members/{user}", json={"slice": "metadata.of=cat"}).status_code == 204

    before = _drawn(api)
    answer(ann, project, 30)
    during = _drawn(api)
    answer(boss, project, 20)

    assert during == before
    assert len(_drawn(api)) > len(before)
    with api.db.read() as session:
        kinds = session.execute(select(Lease.kind).join(Item).where(Lease.annotator_id == user)).scalars().all()
    assert len(kinds) == 30
    assert "audit" not in kinds


def _drawn(api: Api) -> list[int]:
    with api.db.read() as session:
        return list(session.execute(select(AuditDraw.item_id).where(AuditDraw.drawn_at.is_not(None))).scalars())


def test_answers_that_came_ahead_of_a_push_are_drawn_like_others_once_items_are_chosen(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=500)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    answer(boss, project, 120)
    boss.push(project, later(400))
    answer(boss, project, 40)
    assert patch(boss, project, audit_choice="active").status_code == 200
    evaluated(api, boss, project)

    with api.db.read() as session:
        draws = session.execute(select(AuditDraw).order_by(AuditDraw.place)).scalars().all()
        audits = set(session.execute(select(Lease.item_id).where(Lease.kind == "audit")).scalars())
        reserved = session.execute(select(Item.id).where(Item.reserved)).scalars().all()
    by_chance = [each for each in draws if each.drawn_at is not None]
    assert 0 < len(by_chance) < len(audits)
    assert all(each.chance == pytest.approx(1 / each.remaining) for each in by_chance)
    assert by_chance[0].remaining <= len(reserved)
    ordered = [each for each in draws if each.drawn_at is None]
    early = audits - {each.item_id for each in by_chance}
    assert ordered[0].remaining == len(reserved) - len(by_chance)  # those that have their answers among them
    assert early & {each.item_id for each in ordered}

    answer(boss, project, 60)
    metrics = evaluated(api, boss, project)
    assert metrics["how"]["choice"] == "active"
    assert metrics["accuracy"]["n"] <= metrics["how"]["drawn"]
