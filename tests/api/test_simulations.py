"""Simulations of a project over REST, by the worker, on both databases."""

from pathlib import Path
from typing import Any

import pytest

from app.cli.parser import main
from app.db import Job
from app.db.session import now
from app.services import jobs, replaying
from app.services.jobs import JobLost
from app.strategies.pool.uncertainty import Entropy
from tests.conftest import Api, Speaker

CLASSES = ["ant", "bee", "cow"]


def refuse(*_: Any) -> None:
    """What a strategy does above its limit."""
    raise ValueError("the pool is too large")


def labelled(boss: Speaker, rows: int = 160, **given: Any) -> int:
    """A project with so many texts that came with their labels."""
    project: int = boss.project(CLASSES, **given)["id"]
    pushed = [
        {"key": f"k{n}", "text": f"{CLASSES[n % 3]}ish word{n % 13} thing{n % 7}", "label": CLASSES[n % 3]}
        for n in range(rows)
    ]
    assert boss.push(project, pushed)["created"] == rows
    return project


def test_strategies_are_compared_in_slices_over_a_killed_worker_and_a_stop(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = api.as_("boss")
    project = labelled(boss)
    path = f"/projects/{project}/simulations"
    waiting = boss.get(f"{path}/ready").json()
    assert "no features yet" in waiting["reason"]
    api.run_jobs()
    ready = boss.get(f"{path}/ready").json()
    assert (ready["labelled"], ready["reason"], ready["judged_by"]) == (160, None, "drawn")
    assert (ready["pool_items"], ready["test_items"]) == (120, 40)
    body = {"strategies": [{"name": "margin"}, {"name": "cvirs_"}], "seeds": 2, "labels": 40}
    assert boss.post(path, json=body).status_code == 422
    body["strategies"] = [{"name": "margin"}, {"name": "entropy"}]
    monkeypatch.setattr(Entropy, "score", refuse)

    begun = boss.post(path, json=body)

    assert begun.status_code == 202, begun.text
    number, job = begun.json()["simulation"], begun.json()["job"]["id"]
    assert "waits or runs" in boss.post(path, json=body).json()["detail"]
    assert "not done" in boss.post(f"{path}/{number}/apply").json()["detail"]
    monkeypatch.setattr(replaying, "SLICE_SECONDS", 0.0)
    for _ in range(4):
        api.worker().run_one()
    dead = jobs.claim(api.db, api.settings, ("compare",))
    assert dead is not None
    with api.db.write() as session:  # the worker that held it died or slept: its lease ended
        session.get_one(Job, job).lease_until = now(session)
    assert api.worker().run_one()
    with pytest.raises(JobLost):
        replaying.run(dead)
    half = boss.get(f"{path}/{number}").json()
    assert half["state"] == "running"
    assert 0 < half["progress"]["fraction"] < 1
    assert half["progress"]["seconds_left"] > 0
    assert boss.delete(f"/jobs/{job}").status_code == 204
    api.worker().run_waiting()
    assert boss.get(f"{path}/{number}").json()["state"] == "cancelled"
    done_so_far = boss.get(f"{path}/{number}/curves.csv").text.splitlines()

    assert boss.post(f"{path}/{number}/resume").status_code == 202
    api.worker().run_waiting()

    found = boss.get(f"{path}/{number}").json()
    assert (found["state"], found["progress"]["fraction"]) == ("done", 1.0), found["reason"]
    margin, entropy, random = found["found"]["strategies"]
    assert entropy == {"strategy": "entropy", "refused": "the pool is too large"}
    assert [point["labels"] for point in margin["curve"]] == [20, 40]
    assert random["ratio"] is None
    assert found["found"]["seeds"] == 2
    assert found["found"]["verdict"] == {
        "winner": None,
        "text": "Cannot tell: 2 of the 5 seeds that a comparison needs at least are done.",
    }
    assert "nobody won" in boss.post(f"{path}/{number}/apply").json()["detail"]
    lines = boss.get(f"{path}/{number}/curves.csv").text.splitlines()
    assert len(lines) == 1 + 2 * 2 * 2
    assert set(done_so_far) <= set(lines)
    picture = boss.get(f"{path}/{number}/curves.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.count("<polyline") == 2
    assert boss.post(f"{path}/{number}/resume").status_code == 409
    assert [each["id"] for each in boss.get(path).json()["items"]] == [number]
    assert boss.delete(f"{path}/{number}").status_code == 204
    assert boss.get(f"{path}/{number}").status_code == 404


def test_the_winner_becomes_the_strategy_and_automatic_undoes_it(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boss = api.as_("boss")
    project = labelled(boss, rows=200)
    path = f"/projects/{project}/simulations"
    api.run_jobs()
    body = {"strategies": [{"name": "vote_entropy", "heads": 4}], "seeds": 5, "labels": 40, "round_size": 10}
    number = boss.post(path, json=body).json()["simulation"]
    api.run_jobs()
    found = boss.get(f"{path}/{number}").json()["found"]
    assert {each["strategy"] for each in found["strategies"]} == {"vote_entropy:heads=4", "random"}
    assert found["seeds"] == 5
    won = {"winner": "vote_entropy:heads=4", "text": "It won."}  # who wins is tested where it is decided
    monkeypatch.setattr("app.loop.outcome.verdict", lambda means: won)

    applied = boss.post(f"{path}/{number}/apply")

    assert applied.json() == {"strategy": {"name": "vote_entropy", "heads": 4}}
    assert boss.get(f"/projects/{project}").json()["strategy"] == applied.json()["strategy"]
    assert boss.get(f"{path}/{number}").json()["in_force"] is True
    assert f"simulation {number}" in boss.get(f"/projects/{project}/overview").json()["words"]["strategy"]
    log = [each["action"] for each in boss.get("/audit-log").json()["items"]]
    assert log[:2] == ["simulation.applied", "project.changed"]
    version = boss.get(f"/projects/{project}").headers["etag"]
    changed = boss.patch(f"/projects/{project}", json={"strategy": {"name": "auto"}}, headers={"If-Match": version})
    assert changed.status_code == 200
    assert boss.get(f"{path}/{number}").json()["in_force"] is False
    assert boss.get(f"/projects/{project}/overview").json()["words"]["strategy"] is None

    place = ["--data", str(api.settings.data), "--database-url", api.db.url.render_as_string(hide_password=False)]
    asked = ["--project", str(project), "--seeds", "1", "--labels", "20", "--output", str(tmp_path / "out")]
    assert main(["simulate", *place, *asked]) == 0
    assert "150 rows replayed, judged on 50 others" in capsys.readouterr().out


def test_too_few_labels_say_how_many_are_missing_and_others_see_nothing(api: Api) -> None:
    boss = api.as_("boss")
    project = labelled(boss, rows=60)
    path = f"/projects/{project}/simulations"
    api.run_jobs()

    refused = boss.post(path, json={"strategies": [{"name": "margin"}]})

    assert refused.status_code == 422
    assert refused.json()["detail"] == "60 of 100 labelled items are there: 40 more are needed"
    assert boss.get(f"{path}/ready").json()["labelled"] == 60
    bea = api.as_("bea")
    assert bea.get(path).status_code == 404
    assert boss.post(f"/projects/{project}/members", json={"user": "bea", "role": "reviewer"}).status_code == 201
    for answer in (bea.get(path), bea.get(f"{path}/ready"), bea.post(path, json={"strategies": [{"name": "margin"}]})):
        assert answer.status_code == 403


def test_limits_are_said(api: Api) -> None:
    boss = api.as_("boss")
    project = labelled(boss)
    api.run_jobs()
    two = [{"name": "auto"}, {"name": "margin"}]
    asked: list[tuple[dict[str, Any], str]] = [
        ({"seeds": 31}, "seeds is from 1 to 30"),
        ({"labels": 121}, "of 120 labelled items that can be replayed"),
        ({"noise": 0.95}, "noise is from 0 to 0.9"),
        ({"seeds": 30, "labels": 120, "round_size": 1, "strategies": two}, "10,890 rounds"),
        ({"strategies": [{"name": "mean_doubt"}]}, "needs a question with several classes an item"),
    ]

    answers = [
        boss.post(f"/projects/{project}/simulations", json={"strategies": [{"name": "margin"}], **more})
        for more, _ in asked
    ]

    assert {answer.status_code for answer in answers} == {422}
    said = [answer.json()["detail"] for answer in answers]
    assert [why in detail for (_, why), detail in zip(asked, said, strict=True)] == [True] * len(asked), said


def test_ratings_and_several_classes_are_replayed_and_the_own_test_set_judges(api: Api) -> None:
    boss = api.as_("boss")
    several = boss.project(["red", "green", "blue"], task={"multiple": True})["id"]
    stars = {"type": "rating", "minimum": 1, "maximum": 3, "step": 1}
    rating = boss.post("/projects", json={"name": "Stars", "modality": "text", "task": stars}).json()["id"]
    colours = [{"classes": ["red", "green"]}, {"classes": ["blue"]}, {"classes": []}]
    for project, labels in ((several, colours), (rating, [{"value": 1}, {"value": 2}, {"value": 3}])):
        rows = [
            {"key": f"k{n}", "text": f"kind{n % 3} word{n % 13}", "label": labels[n % 3]}
            | {"split": "audit" if n < 60 else "pool"}
            for n in range(130)
        ]
        assert boss.push(project, rows)["created"] == 130
    api.run_jobs()
    body = {"strategies": [{"name": "uherding"}], "seeds": 1, "labels": 40}

    begun = {each: boss.post(f"/projects/{each}/simulations", json=body).json() for each in (several, rating)}
    api.run_jobs()

    for project, made in begun.items():
        found = boss.get(f"/projects/{project}/simulations/{made['simulation']}").json()
        assert (found["state"], found["judged_by"]) == ("done", "imported"), found
        assert (found["pool_items"], found["test_items"]) == (70, 60)
        assert [each["refused"] for each in found["found"]["strategies"]] == [None, None]
        assert found["found"]["strategies"][0]["last_accuracy"] > 0.9
