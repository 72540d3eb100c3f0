"""Chosen audit items of an audit set that changes: items are taken out, come in and come back between the draws."""

from typing import Any

import pytest
from sqlalchemy import delete, select

from app.db import AuditDraw, AuditFrame, Item
from app.services.records import unpacked
from tests.api.test_audit_choice import patch
from tests.api.test_edits import change, take_back
from tests.api.test_loop import pets
from tests.api.test_reaching import FOREIGN, evaluated
from tests.conftest import Api, Speaker

OLD = 400


def halves(count: int, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Items that say by turns in which of some parts they are."""
    rows = pets(count)
    return [
        {**row, "key": f"{row['key']}-{names[n // 2 % len(names)]}", "metadata": {"part": names[n // 2 % len(names)]}}
        for n, row in enumerate(rows)
    ]


def answer(speaker: Speaker, project: int, count: int) -> None:
    """Answer as the keys say but for every fifth item, and the other way round of the part c."""
    for _ in range(count):
        (lease,) = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        key = lease["item"]["key"]
        said = key[:3]
        if (lease["item"]["id"] % 5 == 3) != key.endswith("-c"):
            said = FOREIGN[said]
        body = {"lease": lease["id"], "label": {"class": said}, "seconds_spent": 1.0}
        assert speaker.post("/annotations", json=body).status_code == 201


def started(api: Api) -> tuple[Speaker, int]:
    """A project with a hundred answers, some of them of audit items that a learner drew."""
    boss = api.as_("boss")
    settings = {"audit_share": 0.5, "blind_share": 0, "round_size": 500, "audit_use": "apart"}
    project = boss.project(**settings, audit_choice="active")["id"]
    boss.push(project, halves(OLD, ("a", "b")))
    api.run_jobs()
    answer(boss, project, 40)
    evaluated(api, boss, project)
    answer(boss, project, 60)
    return boss, project


def kept(api: Api, project: int) -> tuple[dict[int, int], list[list[int]]]:
    """Since which place each audit item can be drawn, and what was taken out, as first, last and number."""
    with api.db.read() as session:
        row = session.get_one(AuditFrame, project)
        return dict(zip(unpacked(row.items).tolist(), unpacked(row.since).tolist(), strict=True)), row.gone


def open_audits(api: Api, part: str) -> list[str]:
    """Keys of the audit items of a part that nobody drew."""
    drawn = select(AuditDraw.item_id).where(AuditDraw.drawn_at.is_not(None))
    with api.db.read() as session:
        keys = session.execute(select(Item.key).where(Item.reserved, ~Item.done, Item.id.not_in(drawn))).scalars()
        return [key for key in keys if key.endswith(f"-{part}")]


def width(metrics: dict[str, Any]) -> float:
    return float(metrics["accuracy"]["high"] - metrics["accuracy"]["low"])


def test_what_is_taken_out_undrawn_is_unknown_and_what_comes_back_waits_for_draws(api: Api) -> None:
    boss, project = started(api)
    before = evaluated(api, boss, project)
    keys = open_audits(api, "a")

    token, _ = change(api, boss, project, {"keys": keys}, state="excluded")
    without = evaluated(api, boss, project)
    words = boss.get(f"/projects/{project}/overview").json()["words"]["how"]
    _, gone = kept(api, project)
    take_back(api, boss, project, token)
    back = evaluated(api, boss, project)
    since, _ = kept(api, project)
    answer(boss, project, 40)
    after = evaluated(api, boss, project)

    assert before["how"]["choice"] == "active"
    assert before["how"]["speaks_of"] == 1.0
    ((first, last, count),) = gone
    assert (first, count) == (0, len(keys))
    assert without["how"]["speaks_of"] == pytest.approx(1 - count / (before["how"]["audit_set"]), abs=0.02)
    assert width(without) > width(before) + 0.05
    assert without["how"]["taken_out"] == count
    assert f"{count:,} audit items were taken out before they were drawn" in words
    with api.db.read() as session:
        returned = session.execute(select(Item.id).where(Item.key.in_(keys))).scalars().all()
    assert {since[item] for item in returned} == {last}
    assert back["how"]["unheard"] == len(keys)
    assert back["how"]["speaks_of"] < 0.8
    assert after["how"]["unheard"] == 0
    assert after["how"]["speaks_of"] == 1.0
    assert width(after) < width(back) - 0.1


def test_a_part_that_takes_the_place_of_another_is_not_spoken_for(api: Api) -> None:
    """Numbers alone would not tell: about as many audit items are there as before, but other ones."""
    boss, project = started(api)
    boss.push(project, halves(OLD // 2, ("c",)))
    change(api, boss, project, {"filter": "metadata.part=c"}, state="excluded")
    evaluated(api, boss, project)
    answer(boss, project, 10)

    change(api, boss, project, {"filter": "metadata.part=a"}, state="excluded")
    change(api, boss, project, {"filter": "metadata.part=c"}, state="open")
    swapped = evaluated(api, boss, project)
    answer(boss, project, 60)
    after = evaluated(api, boss, project)

    truth = 0.5  # four fifths of b are as their words say, and one of c
    for metrics in (swapped, after):
        assert metrics["accuracy"]["low"] <= truth <= metrics["accuracy"]["high"]
    assert swapped["how"]["speaks_of"] < 0.6
    assert swapped["how"]["unheard"] > 60
    assert after["how"]["unheard"] == 0
    assert width(after) < 0.6


def test_an_old_push_that_is_taken_out_leaves_its_draws_no_weight(api: Api) -> None:
    boss, project = started(api)
    boss.push(project, halves(OLD, ("c",)))
    evaluated(api, boss, project)
    answer(boss, project, 20)
    for part in ("a", "b"):
        change(api, boss, project, {"filter": f"metadata.part={part}"}, state="excluded")
    evaluated(api, boss, project)
    answer(boss, project, 20)

    metrics = evaluated(api, boss, project)

    with api.db.read() as session:
        there = session.execute(select(Item.id).where(Item.reserved, Item.state == "open")).scalars().all()
        drawn = session.execute(select(AuditDraw.item_id).where(AuditDraw.drawn_at.is_not(None))).scalars().all()
    assert metrics["how"]["drawn"] == len(set(there) & set(drawn))
    assert metrics["how"]["audit_set"] == len(there)
    assert metrics["how"]["speaks_of"] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("changed", [False, True])
def test_draws_of_an_earlier_release_are_told_of_by_their_newest_items(api: Api, changed: bool) -> None:
    boss, project = started(api)
    plain = evaluated(api, boss, project)
    if changed:
        change(api, boss, project, {"keys": open_audits(api, "a")}, state="excluded")
    with api.db.write() as session:
        session.execute(delete(AuditFrame))

    metrics = evaluated(api, boss, project)

    since, gone = kept(api, project)
    assert gone == []
    if not changed:
        assert (metrics["how"], metrics["accuracy"]["value"]) == (plain["how"], plain["accuracy"]["value"])
        assert set(since.values()) == {0}
        return
    assert metrics["how"]["speaks_of"] < 0.7  # of the drawn ones alone, until others are drawn
    answer(boss, project, 30)
    assert evaluated(api, boss, project)["how"]["speaks_of"] == 1.0


@pytest.mark.parametrize("first", [False, True])
def test_what_came_in_while_nothing_was_reserved_is_not_spoken_for(api: Api, first: bool) -> None:
    boss = api.as_("boss")
    settings = {"blind_share": 0, "round_size": 500, "audit_use": "apart"}
    project = boss.project(audit_share=0.0, **settings)["id"]
    none = [{**row, "key": f"{row['key']}-none"} for row in pets(2 * OLD)]
    if first:
        boss.push(project, none)
    assert patch(boss, project, audit_share=0.5, audit_choice="active").status_code == 200
    boss.push(project, halves(OLD, ("a", "b")))
    api.run_jobs()
    answer(boss, project, 40)
    evaluated(api, boss, project)
    answer(boss, project, 60)
    if not first:
        assert patch(boss, project, audit_share=0.0, audit_choice="random").status_code == 200
        boss.push(project, none)

    metrics = evaluated(api, boss, project)

    assert metrics["how"]["choice"] == "active"
    assert metrics["how"]["speaks_of"] == pytest.approx(1 / 3, abs=0.01)
    assert width(metrics) > 2 / 3


def test_a_share_that_no_item_came_in_with_leaves_the_draws_as_they_are(api: Api) -> None:
    """Else chance drew from fewer items than are known of, once the share is what it was again."""
    boss, project = started(api)
    before = evaluated(api, boss, project)
    assert patch(boss, project, audit_choice="random", audit_share=0.1).status_code == 200
    boss.post(f"/projects/{project}/audit-request", json={"count": 25})
    answer(boss, project, 25)
    lowered = evaluated(api, boss, project)
    assert patch(boss, project, audit_choice="active", audit_share=0.5).status_code == 200

    back = evaluated(api, boss, project)

    with api.db.read() as session:
        drawn = select(AuditDraw).where(AuditDraw.drawn_at.is_not(None)).order_by(AuditDraw.place)
        left = [each.remaining for each in session.execute(drawn).scalars()]
    assert left == list(range(before["how"]["audit_set"], before["how"]["audit_set"] - len(left), -1))
    for metrics in (lowered, back):
        assert metrics["how"]["drawn"] == len(left)
        assert metrics["how"]["audit_set"] == before["how"]["audit_set"]
