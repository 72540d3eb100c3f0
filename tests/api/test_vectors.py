"""The clients' own vectors: what the model learns from, of one width, refused by row where they do not fit."""

import json
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from app.db import FeatureSet, Item, Round
from app.features import StoredShard
from app.services import pool
from tests.conftest import Api, Speaker

REASON = "features has 3 numbers; the first vector of this project has 2"


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def stored(api: Api, project: int) -> dict[int, list[float]]:
    """The newest vector of each item in the active feature set."""
    with api.db.read() as session:
        found = pool.active(session, api.settings, project)
    assert found is not None
    shards: list[StoredShard] = found.opened()
    return {
        int(row[0]): np.asarray(vector, dtype=float).round(4).tolist()
        for shard in shards
        for row, vector in zip(shard.ids(), shard.block().dense, strict=True)
    }


def numbers(boss: Speaker, project: int) -> dict[str, int]:
    rows = boss.get(f"/projects/{project}/items", params={"limit": 200}).json()["items"]
    return {row["key"]: row["id"] for row in rows}


def test_the_model_learns_from_the_vectors_that_were_pushed(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    boss.push(project, [{"key": "a", "text": "one", "features": [3, 4]}, {"key": "b", "text": "2", "features": [0, 2]}])
    boss.push(project, [{"key": "c", "text": "three, without a vector"}])

    api.worker().run_waiting()

    known = numbers(boss, project)
    assert boss.get(f"/projects/{project}/status").json()["features"]["featurizer"] == "client"
    assert stored(api, project) == {known["a"]: [0.6, 0.8], known["b"]: [0.0, 1.0]}


def test_a_vector_that_comes_later_or_changes_is_taken(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    boss.push(project, [{"key": "a", "text": "one", "features": [3, 4]}, {"key": "b", "text": "two"}])
    api.worker().run_waiting()

    report = boss.push(
        project, [{"key": "a", "text": "one", "features": [1, 0]}, {"key": "b", "text": "two", "features": [0, 1]}]
    )
    api.worker().run_waiting()

    known = numbers(boss, project)
    assert (report["updated"], report["rejected"]) == (2, [])
    assert stored(api, project) == {known["a"]: [1.0, 0.0], known["b"]: [0.0, 1.0]}


def test_another_width_is_refused_by_row_whatever_came_between(boss: Speaker) -> None:
    project = boss.project()["id"]

    report = boss.push(
        project,
        [
            {"key": "a", "text": "1", "features": [1, 2]},
            {"key": "b", "text": "2", "features": [1, 2, 3]},
            {"key": "c", "text": "3", "features": [2, 1]},
        ],
    )
    later = boss.push(project, [{"key": "d", "text": "4", "features": [1, 2, 3]}, {"key": "e", "text": "5"}])
    changed = boss.push(project, [{"key": "a", "text": "1", "features": [1, 2, 3]}])

    assert report["rejected"] == [{"line": 2, "key": "b", "error": REASON}]
    assert later["rejected"] == [{"line": 1, "key": "d", "error": REASON}]
    assert changed["rejected"] == [{"line": 1, "key": "a", "error": REASON}]
    assert (report["created"], later["created"], changed["updated"]) == (2, 1, 0)
    assert sorted(numbers(boss, project)) == ["a", "c", "e"]


def test_an_aborting_import_stores_nothing_for_one_vector_of_another_width(boss: Speaker) -> None:
    project = boss.project()["id"]
    rows = [{"key": "a", "text": "1", "features": [1, 2]}, {"key": "b", "text": "2", "features": [1, 2, 3]}]

    refused = boss.post(f"/projects/{project}/items", json=rows, params={"on_error": "abort"})

    assert refused.status_code == 422
    assert refused.json()["rejected"] == [{"line": 2, "key": "b", "error": REASON}]
    assert numbers(boss, project) == {}


@pytest.mark.parametrize(
    "given", [[], [1, None], [1, "2"], [True, 1], [1e39, 0], [[1, 2]], {"0": 1}, "1,2", 7, [0.0] * 4097]
)
def test_what_is_no_vector_is_refused_by_row(boss: Speaker, given: Any) -> None:
    project = boss.project()["id"]

    report = boss.push(project, [{"key": "a", "text": "1", "features": given}, {"key": "b", "text": "2"}])

    assert (report["created"], report["rejected_count"]) == (1, 1)
    assert "features" in report["rejected"][0]["error"]


@pytest.mark.parametrize("given", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_number_that_is_not_finite_never_comes_in(boss: Speaker, given: str) -> None:
    project = boss.project()["id"]
    body = f'{{"key": "a", "text": "1", "features": [{given}, 1]}}\n' + json.dumps({"key": "b", "text": "2"})
    sheet = f'key,text,features\na,1,"[{given}, 1]"\nb,2,\n'

    lines = boss.post(
        f"/projects/{project}/items", content=body, headers={"Content-Type": "application/x-ndjson"}
    ).json()
    table = boss.post(f"/projects/{project}/items", content=sheet, headers={"Content-Type": "text/csv"}).json()

    assert (lines["created"], lines["rejected_count"]) == (1, 1)
    assert (table["created"], table["unchanged"], table["rejected_count"]) == (0, 1, 1)


def test_items_that_are_lost_let_nothing_be_made_anew_for_ever(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(["cat", "dog"])["id"]
    boss.push(project, [{"key": str(n), "text": f"words of item {n}"} for n in range(21)])
    with api.db.write() as session:
        session.execute(update(Item).where(Item.key != "0").values(state="failed", reason="it is gone"))
    worker = api.worker()

    turns = [worker.run_one() for _ in range(60)]

    assert not turns[-1]
    with api.db.read() as session:
        sets = session.execute(select(FeatureSet.fitted_rows).where(FeatureSet.project_id == project)).scalars().all()
        rounds = session.execute(select(func.count()).where(Round.project_id == project)).scalar_one()
    assert (sets, rounds) == ([1], 1)
