"""What is kept of rounds: they come out the same again, two can be compared, and slices lead to their items."""

import random
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import delete, select, update

from app.cli import main
from app.db import Item, RoundRecord
from tests.api.test_figures import listed
from tests.api.test_loop import WORDS
from tests.conftest import Api, Speaker


def rows(count: int) -> list[dict[str, Any]]:
    """Pets; what came by mail is written in words that say nothing."""
    chance = random.Random(5)
    made = []
    for number in range(count):
        name, source = ("cat", "dog")[number % 2], ("web", "web", "mail")[number % 3]
        words = WORDS[name].split() if source == "web" else ["lorem", "ipsum", "dolor", "amet"]
        mark = number if source == "web" else chance.randrange(10**6)  # a number's last digit would tell the class
        text = f"it {chance.choice(words)} and {chance.choice(words)} number {mark}"
        made.append(
            {"key": f"{name}-{number}", "text": text, "metadata": {"source": source, "year": 1990 + number % 3}}
        )
    return made


def answer(speaker: Speaker, project: int, count: int) -> list[dict[str, Any]]:
    stored = []
    for _ in range(count):
        lease = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}, "seconds_spent": 1.0}
        found = speaker.post("/annotations", json=body)
        assert found.status_code == 201, found.text
        stored.append(found.json())
    return stored


def replay(api: Api, project: int, number: int, *more: str) -> int:
    url = api.db.url.render_as_string(hide_password=False)
    local = ["--data", str(api.settings.data), "--database-url", url]
    return main(["rounds", "replay", str(project), str(number), *local, *more])


def taught(api: Api, **given: Any) -> tuple[Speaker, int, list[dict[str, Any]]]:
    """A project with three rounds, the last one learned from 120 answers."""
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, round_size=60, blind_share=0, **given)["id"]
    boss.push(project, rows(400))
    api.run_jobs()
    stored = []
    for _ in range(2):
        stored += answer(boss, project, 60)
        api.run_jobs()
    return boss, project, stored


def cut(boss: Speaker, project: int, shown: dict[str, Any]) -> None:
    """The same round, by columns that somebody names."""
    path = f"/projects/{project}/rounds/3/slices"
    bare = boss.get(path).json()
    assert {each["name"]: each["items"] for each in bare["columns"]} == dict.fromkeys(
        ("source", "year", "text.length"), bare["judged"]
    )
    assert (bare["judged"], bare["slices"]) == (shown["metrics"]["accuracy"]["n"], [])

    by_source = boss.get(path, params={"column": "source"}).json()["slices"]
    worst = shown["metrics"]["slices"]["worst"][0]
    assert [each["value"] for each in by_source] == ["web", "mail"]  # the larger one first
    mail = by_source[1]
    assert (mail["wrong"], mail["filter"]) == (worst["wrong"], worst["filter"])
    for name in ("accuracy", "rest"):  # the intervals are of fewer slices here, which narrows them
        assert (mail[name]["value"], mail[name]["n"]) == (worst[name]["value"], worst[name]["n"])
        assert worst[name]["low"] <= mail[name]["low"] <= mail[name]["value"]
    for each in by_source:
        assert sum(of["recall"]["n"] for of in each["classes"]) == each["accuracy"]["n"]
        assert {of["class"]["name"] for of in each["classes"]} == {"cat", "dog"}

    years = boss.get(path, params={"column": "year"}).json()["slices"]
    assert [each["words"] for each in years] == ["year is 1990", "year is 1991", "year is 1992"]
    for each in years:
        assert listed(boss, project, f"judged=3:wrong&{each['filter']}") == each["wrong"]
    assert boss.get(path, params={"column": "colour"}).status_code == 422
    assert boss.get(f"/projects/{project}/rounds/9/slices").status_code == 404
    assert "drew" in boss.get(f"/projects/{project}/rounds/1/slices").json()["detail"]


def counted(boss: Speaker, project: int, shown: dict[str, Any]) -> None:
    """Each bin of the calibration and each threshold of a class leads to the items that it counts."""
    for bin_ in shown["metrics"]["calibration"]["bins"]:
        assert listed(boss, project, f"judged=3:sure:{round(10 * bin_['from'])}") == bin_["n"] > 0
    for each, name in zip(shown["metrics"]["classes"], ("cat", "dog"), strict=True):
        for least, found, _, right in each["thresholds"]:
            if least >= 0.05:
                taken = f"judged=3:from:{each['class_id']}:{least:.6f}"
                rightly = listed(boss, project, f"{taken}&class={name}")
                assert rightly == pytest.approx(right * listed(boss, project, taken), abs=0.01)
                assert rightly == pytest.approx(found * each["recall"]["n"], abs=0.01)


def test_slices_and_comparison_lead_to_their_items_and_managers_alone_see_which(api: Api) -> None:
    boss, project, _ = taught(api, audit_use="apart")
    shown = boss.get(f"/projects/{project}/rounds/3").json()
    slices = shown["metrics"]["slices"]
    compared = boss.get(f"/projects/{project}/rounds/2/compare/3").json()

    first = slices["worst"][0]
    assert (first["column"], first["value"], first["worse"]) == ("source", "mail", True)
    assert listed(boss, project, f"judged=3&{first['filter']}") == first["accuracy"]["n"]
    assert listed(boss, project, f"judged=3:wrong&{first['filter']}") == first["wrong"]
    assert listed(boss, project, "judged=3") == shown["metrics"]["accuracy"]["n"]
    assert listed(boss, project, "judged=3:1:2") == shown["metrics"]["confusion"][0][1]
    for each in shown["metrics"]["classes"]:
        assert listed(boss, project, f"judged=3:{each['class_id']}") == each["recall"]["n"] > 0
    assert listed(boss, project, "text.length:<5") == 0
    assert listed(boss, project, f"missing={quote('source')}") == 0
    assert listed(boss, project, "missing=colour&text.length:>=5") == 400

    counted(boss, project, shown)
    cut(boss, project, shown)

    [cats, dogs] = shown["metrics"]["classes"]
    assert [len(row) for row in cats["thresholds"]] == [4] * len(cats["thresholds"])
    areas = [each["average_precision"]["value"] for each in (cats, dogs)]
    assert shown["metrics"]["macro_average_precision"]["value"] == pytest.approx(sum(areas) / 2, abs=1e-4)

    difference = compared["accuracy"]["difference"]
    both = listed(boss, project, "judged=2&status=answered")
    assert difference["n"] == both
    for name in ("gained", "lost"):
        assert compared[name]["count"] == difference[name]
        assert listed(boss, project, compared[name]["filter"]) == difference[name]
        assert all(each["key"][:3] == each["answer"] for each in compared[name]["items"])
    predictions = compared["predictions"]
    assert listed(boss, project, predictions["filter"]) == predictions["changed"]
    assert sum(each["count"] for each in predictions["moves"]) == predictions["changed"]
    for each in predictions["moves"]:
        assert listed(boss, project, each["filter"]) == each["count"]
    assert listed(boss, project, compared["labels"]["filter"]) == compared["labels"]["added"]
    [taken, *_] = boss.get(f"/projects/{project}/items?{compared['labels']['filter']}").json()["items"]
    with api.db.write() as session:
        session.execute(update(Item).where(Item.id == taken["id"]).values(state="deleted"))
    fewer = boss.get(f"/projects/{project}/rounds/2/compare/3").json()["labels"]
    assert listed(boss, project, fewer["filter"]) == fewer["added"] == compared["labels"]["added"] - 1
    with api.db.write() as session:
        session.execute(update(Item).where(Item.id == taken["id"]).values(state="open"))
    assert 0 < compared["labels"]["added"] < 60  # audit answers are kept apart
    assert compared["labels"]["gone"] == 0
    assert compared["settings"] == []
    assert "of " + str(difference["n"]) in compared["words"]
    assert replay(api, project, 3) == 0

    eve = api.as_("eve")
    boss.post(f"/projects/{project}/members", json={"user": "eve", "role": "reviewer"})
    ann = api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "annotator"})

    seen = eve.get(f"/projects/{project}/rounds/2/compare/3").json()
    assert (seen["gained"], seen["lost"]) == (None, None)
    assert seen["accuracy"]["difference"]["n"] > 0
    for filter_ in ("judged=3", "gained=2:3", "lost=2:3"):
        assert eve.get(f"/projects/{project}/items?{filter_}").status_code == 403
    assert eve.get(f"/projects/{project}/items?moved=2:3").status_code == 200
    assert ann.get(f"/projects/{project}/rounds/2/compare/3").status_code == 403
    assert boss.get(f"/projects/{project}/rounds/2/compare/9").status_code == 404
    same = boss.get(f"/projects/{project}/rounds/2/compare/2").json()["words"]
    assert same == "Round 2 is held against itself: choose another one beside it."
    wrong = ("judged=9", "judged=3:maybe", "judged=3:sure:10", "judged=3:from:1", "judged=3:from:1:.5", "moved=3")
    for filter_ in (*wrong, "moved=0:3", "taught=2:9", "text.length=4", "missing= "):
        assert boss.get(f"/projects/{project}/items?{filter_}").status_code == 422, filter_
    with api.db.write() as session:
        session.execute(delete(RoundRecord).where(RoundRecord.project_id == project))
    gone = boss.get(f"/projects/{project}/rounds/1/compare/3")
    assert (gone.status_code, "is not kept" in gone.json()["detail"]) == (409, True)


def test_every_bin_of_several_classes_leads_to_the_items_that_it_counts(api: Api) -> None:
    """Chances below 0.05 are not kept, so that the lowest bin led to fewer items than it counts."""
    boss = api.as_("boss")
    colours = ["red", "green", "blue", "grey"]
    given = {"audit_share": 0.5, "round_size": 60, "blind_share": 0}
    project = boss.project(colours, task={"multiple": True}, **given)["id"]
    boss.push(
        project,
        [
            {"key": f"{n}", "text": f"it is {colours[n % 3]} {colours[n % 3]} and {colours[n % 5 % 3]} number {n}"}
            for n in range(200)
        ],
    )
    api.run_jobs()
    for _ in range(120):
        [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        n = int(lease["item"]["key"])
        label = {"classes": sorted({colours[n % 3], colours[n % 5 % 3]})}
        assert boss.post("/annotations", json={"lease": lease["id"], "label": label}).status_code == 201
    api.run_jobs()
    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]

    bins = newest["metrics"]["calibration"]["bins"]
    assert bins[0]["from"] == 0
    kept = [each["n"] for each in bins]
    assert [
        listed(boss, project, f"judged={newest['number']}:sure:{round(10 * each['from'])}") for each in bins
    ] == kept


@pytest.mark.night
def test_a_round_comes_out_the_same_and_what_changed_since_is_said(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    boss, project, stored = taught(api)
    boss.push(project, [{"key": "late", "text": "it purrs late"}])
    api.run_jobs()

    assert [replay(api, project, number) for number in (1, 2, 3)] == [0, 0, 0], capsys.readouterr().out
    assert "DIFFERS" not in (said := capsys.readouterr().out)
    assert "since" not in said
    for each in stored[:40]:
        label = {"class": "dog" if each["label"]["class"] == "cat" else "cat"}
        headers = {"If-Match": f'"{each["version"]}"'}
        assert boss.put(f"/annotations/{each['id']}", json={"label": label}, headers=headers).status_code == 200
    api.run_jobs()

    assert replay(api, project, 3) == 0
    said = capsys.readouterr().out
    assert "answers of 40 items" in said
    assert replay(api, project, 3, "--current") == 1
    said = capsys.readouterr().out
    assert "DIFFERS  metrics" in said
    assert "accuracy.value" in said
    assert replay(api, project, 99) == 1
    assert "there is no round 99" in capsys.readouterr().err

    with api.db.read() as session:
        kept = session.execute(select(RoundRecord).where(RoundRecord.project_id == project)).scalars().all()
        held = [each.judged["audit"]["items"] for each in kept if (each.judged or {}).get("audit")]
    gone = held[-1][0]
    assert boss.delete(f"/items/{gone}?erase=true").status_code == 204
    api.run_jobs()

    with api.db.read() as session:
        for each in session.execute(select(RoundRecord).where(RoundRecord.project_id == project)).scalars():
            said = (each.judged or {}).get("audit", {"items": []})
            assert gone not in said["items"]
            assert gone not in each.sample["items"]
            assert gone not in [place[0] for place in each.choice]
            assert len(said["items"]) == len(said.get("said", said["items"]))
    assert replay(api, project, 3) == 1
    assert "erased" in capsys.readouterr().err
