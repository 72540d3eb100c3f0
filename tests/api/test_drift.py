"""New items that are like the earlier ones, and such that are not: said in the round, to people, lists and webhooks."""

import random
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db import Delivery, Item, Round
from app.services import drifting
from tests.api.test_edits import change, take_back
from tests.api.test_overview import answer
from tests.conftest import Api, Speaker

EARLIER = ("house", "garden", "river", "stone", "bread", "winter", "window", "letter")
OTHERS = ("Rechnung", "Mahnung", "Konto", "Frist", "Betrag", "Zahlung", "Steuer", "Anlage")


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def texts(first: int, count: int, words: tuple[str, ...] = EARLIER) -> list[dict[str, Any]]:
    """Texts of both classes; the key says which one it is."""
    rng = random.Random(first)
    rows = []
    for number in range(first, first + count):
        name, word = ("cat", "purring") if number % 2 else ("dog", "barking")
        rows.append({"key": f"{name}-{number}", "text": " ".join([word, *rng.choices(words, k=8)])})
    return rows


def keys(first: int, count: int) -> list[str]:
    """Those of such texts."""
    return [each["key"] for each in texts(first, count)]


def labelled(api: Api, boss: Speaker) -> int:
    """A project of which forty of 120 items are labelled, so that what comes in is new; a webhook hears of alarms."""
    project: int = boss.project(audit_share=0.3, blind_share=0, round_size=10)["id"]
    hook = {"url": "https://example.com/hook", "events": ["drift.found"]}
    assert boss.post(f"/projects/{project}/webhooks", json=hook).status_code == 201
    boss.push(project, texts(0, 120))
    api.run_jobs()
    answer(boss, project, 40)
    api.run_jobs()
    return project


def alarmed(api: Api, boss: Speaker) -> int:
    """Such a project into which sixty items of other words and forty of the same ones came."""
    project = labelled(api, boss)
    boss.push(project, texts(2_000, 40))
    boss.push(project, texts(3_000, 60, OTHERS))
    api.run_jobs()
    return project


def again(api: Api, boss: Speaker, project: int) -> dict[str, Any]:
    """What one more round finds."""
    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    api.run_jobs()
    with api.db.read() as session:
        newest = select(Round.metrics).where(Round.metrics.is_not(None)).order_by(Round.number.desc()).limit(1)
        found: dict[str, Any] = session.execute(newest).scalar_one()["drift"]
    return found


def said(boss: Speaker, project: int) -> tuple[bool, int, Any]:
    """Whether the overview alarms, how many items it says to be behind that, and its sentence."""
    seen = boss.get(f"/projects/{project}/overview").json()
    return seen["drift"]["alarm"], seen["drift"]["items"], seen["words"]["drift"]


def drifted(boss: Speaker, project: int) -> list[str]:
    found = boss.get(f"/projects/{project}/items", params={"drifted": "true", "limit": 200}).json()["items"]
    return [each["key"] for each in found]


def told(api: Api) -> int:
    with api.db.read() as session:
        return len(session.execute(select(Delivery.data).where(Delivery.event == "drift.found")).scalars().all())


@pytest.mark.night
def test_items_that_look_unlike_the_earlier_ones_raise_an_alarm_that_labels_end(api: Api, boss: Speaker) -> None:
    project = labelled(api, boss)
    boss.push(project, texts(1_000, 20))
    api.run_jobs()
    few = boss.get(f"/projects/{project}/overview").json()
    boss.push(project, texts(2_000, 40))
    api.run_jobs()
    same = boss.get(f"/projects/{project}/overview").json()
    boss.push(project, texts(3_000, 90, OTHERS))
    api.run_jobs()

    loud = boss.get(f"/projects/{project}/overview").json()

    assert "20 items came in since round" in few["words"]["drift"]
    assert few["words"]["drift"].endswith("from 30 on they are compared with the earlier ones.")
    assert "no sign that they differ" in same["words"]["drift"]
    assert same["drift"] == {"alarm": False, "items": 0}
    assert loud["drift"]["alarm"] is True
    assert loud["words"]["drift"].startswith("The 150 items that came in since round")
    behind = boss.get(f"/projects/{project}/items", params={"drifted": "true", "limit": 200}).json()["items"]
    assert len(behind) == loud["drift"]["items"] > 30
    strange = [each for each in behind if int(each["key"].split("-")[1]) >= 3_000]
    assert len(strange) > 0.9 * len(behind)
    with api.db.read() as session:
        heard = session.execute(select(Delivery.data).where(Delivery.event == "drift.found")).scalars().all()
    assert [each["items"] for each in heard] == [150]  # once, however many rounds follow

    boss.push(project, [{"key": each["key"], "label": {"class": each["key"][:3]}} for each in behind[:31]])
    answer(boss, project, 10)
    api.run_jobs()
    after = boss.get(f"/projects/{project}/overview").json()
    assert after["drift"] == {"alarm": False, "items": 0}
    assert boss.get(f"/projects/{project}/items", params={"drifted": "true"}).json()["items"] == []


@pytest.mark.parametrize("values", [{"state": "excluded"}, {"split": "audit"}], ids=["excluded", "test set"])
def test_an_alarm_is_over_when_its_items_are_taken_out_and_stands_when_they_are_back(
    api: Api, boss: Speaker, values: dict[str, str]
) -> None:
    project = alarmed(api, boss)
    before, behind = said(boss, project), drifted(boss, project)
    assert before[:2] == (True, len(behind))
    assert len(behind) > 30

    part, _ = change(api, boss, project, {"keys": behind[:10]}, **values)
    assert said(boss, project)[:2] == (True, len(behind) - 10)
    rest, _ = change(api, boss, project, {"keys": behind[10:]}, **values)

    alarm, items, words = said(boss, project)
    assert (alarm, items) == (False, 0)
    assert words.endswith("are not in the pool any more; the next round looks at the rest.")
    assert drifted(boss, project) == []
    take_back(api, boss, project, part)
    take_back(api, boss, project, rest)
    assert (said(boss, project), drifted(boss, project)) == (before, behind)


def test_a_round_clears_an_alarm_whose_items_are_gone_and_compares_what_is_left(api: Api, boss: Speaker) -> None:
    project = alarmed(api, boss)
    gone = sorted({*drifted(boss, project), *keys(3_000, 60)})
    change(api, boss, project, {"keys": gone}, state="excluded")
    left = 100 - len(gone)
    assert left >= 30

    found = again(api, boss, project)

    assert (found["alarm"], found["items"], found["new"], found["looks"]) == (False, [], left, 2)
    assert said(boss, project)[:2] == (False, 0)
    assert f"{left} items came in since round" in said(boss, project)[2]
    assert "no sign that they differ" in said(boss, project)[2]
    assert told(api) == 1
    boss.push(project, texts(4_000, 60, OTHERS))
    api.run_jobs()
    assert said(boss, project)[0]
    assert told(api) == 2  # that alarm had ended


def test_a_round_compares_anew_when_a_fifth_of_the_new_items_is_gone(api: Api, boss: Speaker) -> None:
    project = alarmed(api, boss)
    change(api, boss, project, {"keys": keys(3_000, 60)}, state="excluded")
    assert said(boss, project)[0]  # some of the items that it names are like the earlier ones

    found = again(api, boss, project)

    assert (found["alarm"], found["new"], found["looks"]) == (False, 40, 2)


@pytest.mark.night
def test_an_alarm_of_which_only_those_named_are_gone_stands_with_others(
    api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drifting, "SHOWN", 20)
    project = alarmed(api, boss)
    behind = drifted(boss, project)
    assert len(behind) == 20
    change(api, boss, project, {"keys": behind}, state="excluded")
    assert not said(boss, project)[0]

    found = again(api, boss, project)

    assert (found["alarm"], found["new"], found["looks"]) == (True, 80, 2)
    assert len(drifted(boss, project)) == 20
    assert not {*drifted(boss, project)} & {*behind}
    assert told(api) == 1  # it stood all the while


def test_an_alarm_whose_items_are_deleted_leaves_nothing_to_say(api: Api, boss: Speaker) -> None:
    project = alarmed(api, boss)
    page = boss.get(f"/projects/{project}/items", params={"limit": 100, "sort": "-created"}).json()["items"]
    for each in page:
        assert boss.delete(f"/items/{each['id']}").status_code == 204
    assert not said(boss, project)[0]

    found = again(api, boss, project)

    assert (found["alarm"], found["new"], found["items"], found["apart"]) == (False, 0, [], None)
    assert said(boss, project) == (False, 0, None)


def test_only_items_of_the_pool_are_new(api: Api, boss: Speaker) -> None:
    project = labelled(api, boss)
    boss.push(project, texts(2_000, 20))
    boss.push(project, [{**each, "split": "audit", "label": each["key"][:3]} for each in texts(3_000, 40, OTHERS)])
    boss.push(project, [{**each, "label": each["key"][:3]} for each in texts(4_000, 40, OTHERS)])
    boss.push(project, texts(5_000, 40, OTHERS))
    with api.db.write() as session:
        made = update(Item).where(Item.key.in_(keys(4_000, 40)))
        session.execute(made.values(origin="synthetic", reserved=False))
    change(api, boss, project, {"keys": keys(5_000, 40)}, state="excluded")

    found = again(api, boss, project)

    assert (found["new"], found["labelled"], found["looks"]) == (20, 0, 0)
    assert "20 items came in since round" in said(boss, project)[2]


def test_new_items_among_many_that_are_not_compared_are_found(
    api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first draw is of twice the items that are compared, whatever they are; most were of the test set."""
    monkeypatch.setattr(drifting, "MOST", 30)
    project = labelled(api, boss)
    boss.push(project, [{**each, "split": "audit", "label": each["key"][:3]} for each in texts(5_000, 300)])
    boss.push(project, texts(3_000, 40, OTHERS))
    api.run_jobs()

    found = again(api, boss, project)

    assert found["compared"] == [30, 30]
    assert (found["alarm"], found["new"]) == (True, 40)
