"""What labelling takes: learned in the round, drawn against hours and money, and weighed where a project wants it."""

import random
from typing import Any

import pytest

from tests.conftest import Api, Speaker


def texts(count: int) -> list[dict[str, Any]]:
    """Short and long texts of both classes; the key says which class it is."""
    rng = random.Random(3)
    rows = []
    for number in range(count):
        name, word = ("cat", "purring") if number % 2 else ("dog", "barking")
        fill = " ".join(rng.choices(("so", "then", "again", "house", "garden"), k=rng.choice((3, 60))))
        rows.append({"key": f"{name}-{number}", "text": f"{word} {fill} {number}"})
    return rows


def answer(speaker: Speaker, project: int, count: int) -> None:
    """Answer as the keys say; a character takes a twentieth of a second."""
    for _ in range(count):
        lease = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}}
        seconds = 1 + len(lease["item"]["text"]) / 20
        assert speaker.post("/annotations", json={**body, "seconds_spent": seconds}).status_code == 201


@pytest.mark.night
def test_times_are_learned_and_the_curve_is_drawn_against_hours_and_money(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=20, cost_exponent=0.5, goal={"hour_price": 36})[
        "id"
    ]
    boss.push(project, texts(160))
    api.run_jobs()
    answer(boss, project, 20)
    api.run_jobs()
    early = boss.get(f"/projects/{project}/overview").json()
    for _ in range(2):
        answer(boss, project, 40)
        api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()

    assert early["words"]["cost"] == "What an item takes cannot be told yet: 20 of 40 answers with a time."
    assert early["status"]["strategy"].endswith("Not by cost: 20 of the 40 answers with a time that it needs.")
    cost = found["cost"]
    assert cost["later"]["tells"] is True
    assert cost["hour_price"] == 36
    assert cost["sizes"][1]["seconds"] > 3 * cost["sizes"][0]["seconds"]
    assert "characters and" in found["words"]["cost"]
    assert found["status"]["strategy"].endswith("divided by its expected seconds to the power 0.5.")
    hours = [each["hours"] for each in found["curve"]]
    assert hours == sorted(hours)
    assert 0 < hours[0] < hours[-1] == pytest.approx(cost["hours"])
    assert cost["asked"]["random"] > 0
    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]
    assert newest["metrics"]["cost"]["exponent"] == 0.5


def test_a_strategy_that_cannot_weigh_items_by_cost_is_refused_with_those_that_can(api: Api) -> None:
    boss = api.as_("boss")
    body = {"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}, "cost_exponent": 0.5}

    refused = boss.post("/projects", json={**body, "strategy": {"name": "core_set"}})
    project = boss.project(cost_exponent=0.5)
    later = boss.patch(
        f"/projects/{project['id']}",
        json={"strategy": {"name": "k_means"}},
        headers={"If-Match": f'"{project["version"]}"'},
    )
    beyond = boss.post("/projects", json={**body, "cost_exponent": 1.5})

    assert project["cost_exponent"] == 0.5
    assert refused.status_code == later.status_code == beyond.status_code == 422
    assert "core_set does not: choose one of auto, least_confident, margin" in refused.json()["detail"]
    assert later.json()["fields"] == {"cost_exponent": "k_means"}
