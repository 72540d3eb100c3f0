"""Rows of pushed predictions: each is checked whole, whatever format it came in, and named where it does not fit."""

import io
import os
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.services import versions
from app.services.sweeping import sweep
from tests.api.test_loop import pets
from tests.api.test_predictions import LINES, SURE, all_keys, push, status, waiting
from tests.conftest import Api, Speaker

PARQUET = {"Content-Type": "application/vnd.apache.parquet"}


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def test_every_bad_row_is_named_and_the_others_count(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    good, *keys = all_keys()
    bad: list[tuple[Any, str]] = [
        ({"key": "nobody", "probabilities": SURE}, "there is no item with this key"),
        ({"key": keys[0], "probabilities": {"cat": 0.5, "cow": 0.5}}, "there is no class 'cow'"),
        ({"key": keys[1], "probabilities": [0.5, 0.4]}, "the probabilities sum to 0.9, not to 1"),
        ({"key": keys[2], "probabilities": [1.2, -0.2]}, "a probability is below 0"),
        ({"key": keys[3], "probabilities": [1.0]}, "probabilities has 1 numbers for 2 classes"),
        ({"key": keys[4], "probabilities": ["0.5", 0.5]}, "a probability is missing or not a number"),
        ({"key": keys[5], "label": "cat"}, "score is missing or not a number"),
        ({"key": keys[6], "label": "cat", "score": 1.5}, "score is a number from 0 to 1"),
        ({"key": keys[7]}, "probabilities are missing, or a label with its score"),
        ({"key": keys[8], "probabilities": SURE, "text": "x"}, "unknown field 'text'"),
        ({"probabilities": SURE}, "key is missing"),
        ([1, 2], "the line is not a JSON object"),
        ({"key": keys[9], "probabilities": {}}, "probabilities is empty"),
        ({"key": keys[10], "probabilities": "cat"}, "probabilities is an object"),
        ({"key": keys[11], "probabilities": [True, False]}, "a probability is missing or not a number"),
        ({"key": keys[12], "probabilities": SURE, "features": [1, 2]}, "features has 2 numbers; the first row has 0"),
    ]

    pushed = push(boss, project, [{"key": good, "probabilities": [0.502, 0.501]}, *(row for row, _ in bad)])

    assert pushed.status_code == 200, pushed.text
    found = {row["line"]: row["error"] for row in pushed.json()["rejected"]}
    assert sorted(found) == list(range(2, len(bad) + 2))
    assert [line for line, (_, words) in enumerate(bad, start=2) if words not in found[line]] == []
    assert (pushed.json()["rows"], pushed.json()["rejected_now"]) == (1, len(bad))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1" + "0" * 400])
def test_numbers_that_are_none_are_refused_by_line(boss: Speaker, number: str) -> None:
    project = boss.project(learner={"name": "external"})["id"]
    boss.push(project, pets(2))
    body = f'{{"key": "cat-0", "probabilities": [{number}, 0]}}\n{{"key": "dog-1", "probabilities": [0, 1]}}\n'

    pushed = boss.post(
        f"/projects/{project}/predictions", content=body, params={"model": "m", "version": "1"}, headers=LINES
    )

    assert pushed.status_code == 200, pushed.text
    assert (pushed.json()["rows"], [row["line"] for row in pushed.json()["rejected"]]) == (1, [1])


def table(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[0.3, 0.7], [0.8, 0.2], [0.5, float("nan")], [0.1, 0.1]]),
        pa.array([[0.3, 0.7], [0.8, 0.2], [0.5, None], [0.1, 0.1]], pa.list_(pa.float32(), 2)),
        pa.array([{"cat": 0.3, "dog": 0.7}, {"cat": 0.8, "dog": 0.2}, {"cat": float("nan"), "dog": 1}, {"dog": 0.2}]),
        pa.array([[("cat", 0.3), ("dog", 0.7)], [("cat", 0.8), ("dog", 0.2)], [("cow", 1.0)], [("cat", 0.1)]],
                 pa.map_(pa.string(), pa.float64())),
    ],
    ids=["lists", "fixed", "struct", "map"],
)  # fmt: skip
def test_parquet_columns_of_every_shape_are_read_row_by_row(boss: Speaker, column: Any) -> None:
    project = boss.project(learner={"name": "external"})["id"]
    boss.push(project, pets(4))
    body = table({"key": [row["key"] for row in pets(4)], "probabilities": column})

    pushed = boss.post(
        f"/projects/{project}/predictions", content=body, params={"model": "m", "version": "1"}, headers=PARQUET
    )

    assert pushed.status_code == 200, pushed.text
    assert (pushed.json()["rows"], [row["line"] for row in pushed.json()["rejected"]]) == (2, [3, 4])


BROKEN: list[tuple[bytes, dict[str, str], int]] = [
    (b"PAR1 nothing", PARQUET, 422),
    (b"", LINES, 422),
    (b"key,probabilities\n", {"Content-Type": "text/csv"}, 415),
    (b"[{]", {"Content-Type": "application/json"}, 422),
]


def test_a_broken_body_changes_nothing(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)

    for body, headers, wanted in BROKEN:
        refused = boss.post(
            f"/projects/{project}/predictions",
            content=body,
            params={"model": "m", "version": "1", "complete": True},
            headers=headers,
        )
        assert refused.status_code == wanted, refused.text

    assert status(boss, project)["round"]["state"] == "waiting_for_predictions"
    assert all(row["state"] == "open" for row in boss.get(f"/projects/{project}/predictions").json()["items"])


def test_an_erased_item_is_erased_from_the_predictions_too(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    push(boss, project, [{"key": key, "probabilities": SURE} for key in all_keys()])
    api.worker().run_waiting()
    [item] = boss.get(f"/projects/{project}/items", params={"key": "cat-0"}).json()["items"]

    assert boss.delete(f"/items/{item['id']}", params={"erase": True}).status_code == 204
    api.worker().run_waiting()

    with api.db.read() as session:
        version = versions.opened(session, api.settings, 1, [1, 2])
    assert version is not None
    assert len(version.given) == 59
    assert item["id"] not in version.given.items


def test_several_classes_may_hold(api: Api, boss: Speaker) -> None:
    project = boss.project(
        learner={"name": "external"}, task={"multiple": True}, audit_share=0, blind_share=0, round_size=4
    )["id"]
    boss.push(project, pets(10))
    early = push(boss, project, [{"key": "cat-0", "probabilities": SURE}])
    api.worker().run_waiting()

    pushed = push(
        boss,
        project,
        [
            {"key": "cat-0", "probabilities": {"cat": 0.9, "dog": 0.8}},
            {"key": "dog-1", "label": {"classes": ["dog"]}, "score": 0.9},
            {"key": "cat-2", "probabilities": [1.1, 0.2]},
        ],
    )
    api.worker().run_waiting()

    [lease] = [
        each
        for each in boss.post(f"/projects/{project}/leases", json={"count": 10}).json()["leases"]
        if each["item"]["key"] == "cat-0"
    ]
    assert (early.status_code, "no features yet" in early.json()["detail"]) == (409, True)
    assert [row["error"] for row in pushed.json()["rejected"]] == ["a probability is above 1"]
    assert lease["suggestion"]["label"] == {"classes": ["cat", "dog"]}


def test_what_a_push_that_died_left_is_swept_and_versions_stay(api: Api, boss: Speaker) -> None:
    project = boss.project(learner={"name": "external"})["id"]
    boss.push(project, pets(4))
    push(boss, project, [{"key": "cat-0", "probabilities": SURE}], complete=False)
    [folder] = (api.settings.data / "predictions" / str(project)).iterdir()
    kept = sorted(folder.iterdir())
    left = folder / "0123456789abcdef.dense.npy"
    left.write_bytes(b"half")
    for file in folder.iterdir():
        os.utime(file, (0, 0))

    sweep(api.db, api.settings)

    assert sorted(folder.iterdir()) == kept
    assert [file.name.split(".", 1)[1] for file in kept] == ["dense.npy", "ids.npy", "span.npy"]


def test_keys_that_no_database_holds_are_unknown_keys(boss: Speaker) -> None:
    project = boss.project(learner={"name": "external"})["id"]
    boss.push(project, pets(4))
    keys = ["a\x00b", "cat-0", "x" * 5_000, ""]
    where, params = f"/projects/{project}/predictions", {"model": "m", "version": "1"}

    pushed = boss.post(where, content=table({"key": keys, "probabilities": [SURE] * 4}), params=params, headers=PARQUET)
    broken = table(
        {"key": pa.array([b"\xff\xfe", b"cat-0"]).cast(pa.string(), safe=False), "probabilities": [SURE] * 2}
    )
    refused = boss.post(where, content=broken, params=params, headers=PARQUET)

    assert pushed.status_code == 200, pushed.text
    assert (pushed.json()["rows"], [row["line"] for row in pushed.json()["rejected"]]) == (1, [1, 3, 4])
    assert refused.status_code == 422, refused.text
    assert "cannot be read" in refused.json()["detail"]
