"""Rounds of every kind come out the same again: an outside model's, several classes, by cost, chosen audit items."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.test_records import replay, rows
from tests.conftest import Api, Speaker

NDJSON = {"Content-Type": "application/x-ndjson"}


def answer(boss: Speaker, project: int, label: Callable[[str], dict[str, Any]]) -> None:
    for number in range(40):
        [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        body = {"lease": lease["id"], "label": label(lease["item"]["key"][:3]), "seconds_spent": 2.0 + number % 5}
        assert boss.post("/annotations", json=body).status_code == 201


@pytest.mark.night
@pytest.mark.parametrize(
    ("more", "figures"),
    [
        ({"task": {"type": "classification", "classes": ["cat", "dog"], "multiple": True}}, True),
        ({"cost_exponent": 0.5}, True),
        ({"audit_choice": "active"}, False),
        ({"audit_estimate": "prediction_powered"}, False),
    ],
)
def test_the_same_choice_and_where_they_rest_on_answers_alone_the_same_figures(
    api: Api, capsys: pytest.CaptureFixture[str], more: dict[str, Any], figures: bool
) -> None:
    boss = api.as_("boss")
    task = {"type": "classification", "classes": ["cat", "dog"]}
    asked = {"name": "pets", "modality": "text", "task": task, "audit_share": 0.4, "round_size": 40, **more}
    project = boss.post("/projects", json=asked).json()["id"]
    boss.push(project, rows(200))
    api.run_jobs()
    for _ in range(2):
        answer(boss, project, lambda name: {"classes": [name]} if "task" in more else {"class": name})
        api.run_jobs()

    assert [replay(api, project, number) for number in (1, 2, 3)] == [0, 0, 0]
    said = capsys.readouterr().out
    assert ("the choice alone is compared" in said) is not figures
    if "audit_choice" in more:
        compared = boss.get(f"/projects/{project}/rounds/2/compare/3").json()
        assert (compared["accuracy"], "chance drew" in compared["words"]) == (None, True)
        assert boss.get(f"/projects/{project}/rounds/3").json()["metrics"]["slices"] is None


def test_an_outside_models_rounds_and_its_versions_beside_them(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    boss = api.as_("boss")
    project = boss.project(learner={"name": "external"}, round_size=40, audit_share=0.3)["id"]
    items = rows(200)
    boss.push(project, items)
    api.worker().run_waiting()
    for number in (2, 3):
        answer(boss, project, lambda name: {"class": name})
        api.worker().run_waiting()
        sure = {"cat": 0.7, "dog": 0.4 if number == 2 else 0.6}  # which takes each dog for a cat at first
        lines = [{"key": each["key"], "probabilities": _both(each["key"][:3], sure)} for each in items]
        pushed = boss.post(
            f"/projects/{project}/predictions?model=m&version=v{number}&round={number}&use=both&complete=true",
            content="\n".join(map(json.dumps, lines)),
            headers=NDJSON,
        )
        assert pushed.status_code in (200, 201), pushed.text
        api.worker().run_waiting()

    assert [replay(api, project, number) for number in (1, 2, 3)] == [0, 0, 0], capsys.readouterr().out
    versions = {each["version"]: each["id"] for each in boss.get(f"/projects/{project}/predictions").json()["items"]}
    same = boss.get(f"/projects/{project}/rounds/3/compare-predictions/{versions['v3']}").json()
    worse = boss.get(f"/projects/{project}/rounds/3/compare-predictions/{versions['v2']}").json()
    difference = worse["accuracy"]["difference"]
    assert same["accuracy"]["difference"]["value"] == 0
    assert (difference["gained"], difference["lost"] > 0) == (0, True)
    assert boss.get(f"/projects/{project}/rounds/3/compare-predictions/999").status_code == 404


def _both(name: str, sure: dict[str, float]) -> dict[str, float]:
    return {each: sure[name] if each == name else 1 - sure[name] for each in ("cat", "dog")}
