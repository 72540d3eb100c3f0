"""Audit items that a learner draws: given in its order, with chances that are kept and undone in the estimate."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.db import AuditDraw, Item, Lease
from app.loop import evaluate
from app.loop.auditing import Answers, AuditSet, Verdict, verdict
from tests.api.test_figures import listed
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


def patch(speaker: Speaker, project: int, **changes: Any) -> Any:
    version = speaker.get(f"/projects/{project}").json()["version"]
    return speaker.patch(f"/projects/{project}", json=changes, headers={"If-Match": f'"{version}"'})


def say(speaker: Speaker, project: int, count: int) -> None:
    """Answer as the keys say, every fourth time wrongly, so that no learner is sure."""
    leases = speaker.post(f"/projects/{project}/leases", json={"count": count}).json()["leases"]
    assert len(leases) == count
    for number, lease in enumerate(leases):
        right = lease["item"]["key"][:3]
        label = {"class": {"cat": "dog", "dog": "cat"}[right] if number % 4 == 3 else right}
        body = {"lease": lease["id"], "label": label, "seconds_spent": 1.0}
        assert speaker.post("/annotations", json=body).status_code == 201


def test_chosen_audit_items_are_given_in_their_order_and_judge_by_their_chances(api: Api) -> None:
    boss = api.as_("boss")
    settings = {"audit_use": "apart", "audit_choice": "active", "audit_estimate": "prediction_powered"}
    project = boss.project(audit_share=0.5, blind_share=0, round_size=20, **settings)["id"]
    boss.push(project, pets(300))
    api.run_jobs()
    for _ in range(5):
        say(boss, project, 30)
        api.run_jobs()

    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]
    overview = boss.get(f"/projects/{project}/overview").json()

    with api.db.read() as session:
        draws = session.execute(select(AuditDraw).order_by(AuditDraw.place)).scalars().all()
        leases = session.execute(select(Lease).where(Lease.kind == "audit").order_by(Lease.id)).scalars().all()
    given = [each for each in draws if each.drawn_at is not None]
    assert [each.item_id for each in leases] == [each.item_id for each in given]
    assert [each.place for each in draws] == list(range(len(draws)))
    assert draws[: len(given)] == given  # nothing behind them was ever seen by anybody
    assert len(draws) == draws[0].remaining
    assert [each.remaining for each in draws] == list(range(len(draws), 0, -1))
    assert all(0 < each.chance <= 1 for each in draws)
    assert len({each.round_id for each in given}) > 2  # rounds drew them anew
    assert any(abs(each.chance * each.remaining - 1) > 0.01 for each in given)
    metrics = newest["metrics"]
    assert metrics["how"]["choice"] == "active"
    assert metrics["how"]["estimate"] == "prediction_powered"
    assert metrics["how"]["drawn"] == metrics["accuracy"]["n"] == len(given)
    assert metrics["how"]["audit_set"] == len(draws)
    assert metrics["accuracy"]["low"] <= metrics["accuracy_at_one_look"]["low"] <= metrics["accuracy"]["value"]
    assert metrics["twin"] is None
    assert overview["how"] == metrics["how"]
    assert overview["audit_choice"] == "active"
    assert f"{len(given)} of {len(draws)} audit items." in overview["words"]["how"]


def test_what_a_round_was_wrong_about_is_counted_as_its_filter_finds_it_and_ties_stand_apart(api: Api) -> None:
    """The page took it from the accuracy, which weighs the answers and takes divided ones for half right."""
    boss, ann = api.as_("boss"), api.as_("ann")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=40, overlap=2, audit_choice="active")["id"]
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "annotator"})
    boss.push(project, pets(120))
    api.run_jobs()
    for _ in range(2):
        say(boss, project, 30)
        for _ in range(30):  # the other half of the answers, every third time against the first
            [lease] = ann.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
            label = {"class": "cat" if lease["item"]["id"] % 3 == 0 else lease["item"]["key"][:3]}
            assert ann.post("/annotations", json={"lease": lease["id"], "label": label}).status_code == 201
        api.run_jobs()
    number = boss.get(f"/projects/{project}/rounds").json()["items"][0]["number"]

    shown = boss.get(f"/projects/{project}/rounds/{number}").json()

    judged, n = shown["judged"], shown["metrics"]["accuracy"]["n"]
    for name in ("right", "wrong"):
        assert judged[name] == listed(boss, project, f"judged={number}:{name}")
    assert judged["tied"] == listed(boss, project, f"judged={number}") - judged["right"] - judged["wrong"] > 0
    assert sum(judged.values()) == n
    assert judged["wrong"] != round((1 - shown["metrics"]["accuracy"]["value"]) * n)
    assert shown["words"]["how"] == boss.get(f"/projects/{project}/overview").json()["words"]["how"] is not None
    assert boss.get(f"/projects/{project}/rounds/1").json()["judged"] is None
    with api.db.write() as session:
        [gone] = boss.get(f"/projects/{project}/items?judged={number}:right&limit=1").json()["items"]
        session.execute(update(Item).where(Item.id == gone["id"]).values(state="deleted"))
    after = boss.get(f"/projects/{project}/rounds/{number}").json()["judged"]
    assert after == judged | {"right": judged["right"] - 1}


@pytest.mark.night
def test_the_choice_may_change_at_any_time_and_what_chance_gave_is_a_draw(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=10)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    say(boss, project, 40)
    api.run_jobs()
    before = boss.get(f"/projects/{project}/status").json()["audit"]["answers"]

    assert patch(boss, project, audit_choice="active").status_code == 200
    api.run_jobs()
    say(boss, project, 30)
    boss.push(project, [{**row, "key": f"{row['key']}-later"} for row in pets(120)])
    api.run_jobs()
    say(boss, project, 40)
    assert patch(boss, project, audit_choice="random").status_code == 200
    say(boss, project, 30)
    api.run_jobs()

    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]["metrics"]
    with api.db.read() as session:
        draws = session.execute(select(AuditDraw).order_by(AuditDraw.place)).scalars().all()
        drawn = Item.id.in_([each.item_id for each in draws])
        done = session.execute(select(Item.id).where(drawn, Item.done)).scalars().all()
    answers = boss.get(f"/projects/{project}/status").json()["audit"]["answers"]
    assert answers - 5 <= len(done) <= answers  # some were given ahead of others, which were passed over as near twins
    assert all(each.drawn_at is not None for each in draws)
    by_chance = [each for each in draws if each.round_id is None]
    assert len(by_chance) > before
    assert all(each.chance == pytest.approx(1 / each.remaining) for each in by_chance)
    assert newest["how"]["choice"] == "active"  # some of the answers are chosen ones still
    assert newest["how"]["drawn"] == len(draws)
    assert newest["accuracy"]["n"] == len(done)
    assert newest["how"]["unanswered"] == len(draws) - len(done)  # passed over, as its twin was with somebody


@pytest.mark.parametrize("wrong", [{"audit_choice": "best"}, {"audit_estimate": 3}, {"audit_share": 0.0}])
def test_what_cannot_run_is_refused_in_words(api: Api, wrong: dict[str, Any]) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_choice="active", audit_estimate="prediction_powered")["id"]

    refused = patch(boss, project, **wrong)

    assert refused.status_code == 422
    if "audit_share" in wrong:
        said = "audit_choice active and audit_estimate prediction_powered needs audit items: set an audit_share above 0"
        assert refused.json()["detail"] == said
    shown = boss.get(f"/projects/{project}").json()
    assert (shown["audit_choice"], shown["audit_estimate"]) == ("active", "prediction_powered")


def test_an_item_with_one_of_two_answers_judges_and_does_not_wait(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def noted(answers: Answers, audits: AuditSet, *rest: Any) -> Verdict:
        seen.append((answers.items, audits.waiting))
        return verdict(answers, audits, *rest)

    monkeypatch.setattr(evaluate, "verdict", noted)
    boss = api.as_("boss")
    settings = {"overlap": 2, "audit_estimate": "prediction_powered"}
    project = boss.project(audit_share=0.5, blind_share=0, round_size=20, **settings)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    for _ in range(2):
        say(boss, project, 30)
        api.run_jobs()

    with api.db.read() as session:
        reserved = set(session.execute(select(Item.id).where(Item.reserved)).scalars())
    judged, waiting = seen[-1]
    assert waiting is not None
    assert len(judged) > 20
    assert sorted({*judged, *waiting}) == sorted(reserved)
    assert len(judged) + len(waiting) == len(reserved)
