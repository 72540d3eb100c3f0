"""What disturbed items cost the learner: looked at behind the rounds, shown with them, said where it cannot be told."""

from typing import Any

import pytest
from sqlalchemy import select

from app.db import RoundRecord
from app.services import disturbing
from tests.api.test_audit_choice import say
from tests.api.test_costs import texts
from tests.api.test_overview import answer
from tests.api.test_records import listed
from tests.conftest import Api


@pytest.mark.night
def test_a_job_behind_the_round_tells_what_each_disturbance_costs(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.6, blind_share=0, round_size=60)["id"]
    boss.push(project, texts(160))
    api.run_jobs()
    answer(boss, project, 60)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()
    answer(boss, project, 5)
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    later = boss.get(f"/projects/{project}/overview").json()

    kinds: dict[str, Any] = {each["name"]: each["loss"] for each in found["robustness"]["kinds"]}
    assert list(kinds) == ["typos", "casing", "punctuation"]
    assert kinds["casing"]["value"] == 0  # n-grams fold the case
    assert all(each["low"] <= each["value"] <= each["high"] for each in kinds.values())
    assert kinds["typos"]["n"] == found["status"]["audit"]["answers"] >= 20
    assert found["words"]["robustness"]
    assert found["robustness"]["labels"] == 60
    assert later["robustness"] == found["robustness"]  # five labels more are no reason to look again
    rounds = boss.get(f"/projects/{project}/rounds").json()["items"]
    assert rounds[0]["metrics"]["robustness"] == found["robustness"]
    number = found["robustness"]["round"]
    for each in found["robustness"]["kinds"]:
        told = listed(boss, project, f"broken={number}:{each['name']}")
        assert told == each["broken"] >= round(each["loss"]["value"] * each["loss"]["n"])

    eve = api.as_("eve")
    boss.post(f"/projects/{project}/members", json={"user": "eve", "role": "reviewer"})
    assert eve.get(f"/projects/{project}/items?broken={number}:typos").status_code == 403
    assert boss.get(f"/projects/{project}/items?broken={number}:blur").status_code == 422
    with api.db.read() as session:
        judged = session.execute(select(RoundRecord.judged).order_by(RoundRecord.round_id.desc())).scalars()
        [item, *others] = next(each["broken"]["typos"] for each in judged if each and "broken" in each)
    boss.delete(f"/items/{item}", params={"erase": True})
    api.run_jobs()
    assert listed(boss, project, f"broken={number}:typos") == len(others)


def test_where_nothing_can_be_disturbed_it_says_why(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.6, blind_share=0, round_size=40)["id"]
    rows = [each | {"features": [1.0, float(number % 2)]} for number, each in enumerate(texts(100))]
    boss.push(project, rows)
    api.run_jobs()
    answer(boss, project, 40)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()

    assert found["robustness"]["kinds"] == []
    assert found["words"]["robustness"].startswith("How robust the model is cannot be told: its vectors were pushed")


def test_chosen_audit_items_tell_nothing_and_the_clients_own_test_set_does(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.6, blind_share=0, round_size=30, audit_choice="active")["id"]
    boss.push(project, texts(200))
    api.run_jobs()
    for _ in range(2):
        say(boss, project, 40)
        api.run_jobs()
    chosen = boss.get(f"/projects/{project}/overview").json()
    rows = [{**row, "key": f"{row['key']}-test", "label": row["key"][:3], "split": "audit"} for row in texts(20)]
    boss.push(project, rows)
    say(boss, project, 40)
    api.run_jobs()
    tested = boss.get(f"/projects/{project}/overview").json()["robustness"]

    assert chosen["how"]["choice"] == "active"
    assert chosen["robustness"]["kinds"] == []
    assert chosen["words"]["robustness"] == (
        "How robust the model is cannot be told: audit items are chosen, and no fair sample."
    )
    assert tested["lack"] is None
    assert {each["loss"]["n"] for each in tested["kinds"]} == {20}


@pytest.mark.parametrize("seconds", [disturbing.SLICE_SECONDS, -1])  # in one slice, and a step each
def test_rows_are_disturbed_too_and_the_clients_own_test_set_judges(
    api: Api, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(disturbing, "SLICE_SECONDS", seconds)
    boss = api.as_("boss")
    project = boss.project(modality="table")["id"]
    rows: list[dict[str, Any]] = []
    for number in range(70):
        name = ("cat", "dog")[number % 2]
        content: dict[str, Any] = {"row": {"ears": 2.0 - number % 2 + 0.01 * number, "colour": f"c{number % 5}"}}
        split = {"split": "audit"} if number >= 40 else {}
        rows.append({"key": f"{name}-{number}", **content, "label": {"class": name}, **split})
    boss.push(project, rows)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()["robustness"]

    assert [each["name"] for each in found["kinds"]] == ["missing", "noise", "column"]
    assert {each["loss"]["n"] for each in found["kinds"]} == {30}
    column = found["kinds"][2]
    assert column["words"] == "without ears, which of 2 columns costs most to be left out"
    assert column["column"] == "ears"
    assert column["loss"]["value"] == pytest.approx(0.5, abs=0.2)  # the ears tell all, and the colour nothing
    assert listed(boss, project, f"broken={found['round']}:column") == column["broken"] >= 10


def test_numbers_are_off_where_they_are_read_as_numbers_also_those_that_a_file_has_as_text(api: Api) -> None:
    """Of a column that other words made one of categories each number that was off was a category never seen."""
    costs = {}
    for name, told in (
        ("categories", lambda number: number % 2 if number % 5 else "n/a"),
        ("text", lambda number: str(number % 2 + 0.02 * (number % 20))),
    ):
        boss = api.as_("boss")
        project = boss.project(modality="table", name=name, slug=name)["id"]
        rows: list[dict[str, Any]] = []
        for number in range(80):
            split = {"split": "audit"} if number >= 40 else {}
            label = ("cat", "dog")[number % 2]
            rows.append({"key": f"{label}-{number}", "row": {"x": told(number)}, "label": {"class": label}, **split})
        boss.push(project, rows)
        api.run_jobs()
        found = boss.get(f"/projects/{project}/overview").json()["robustness"]
        costs[name] = {each["name"]: each["loss"]["value"] for each in found["kinds"]}

    assert costs["categories"]["noise"] == 0
    assert costs["categories"]["column"] > 0.2
    assert costs["text"]["noise"] > 0
