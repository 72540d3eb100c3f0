"""Answers and predictions that were made elsewhere, in files with a few bytes changed: as `test_changed_files.py`.

`LABELWISE_TEST_CHANGED_FILES=3000 pytest tests/attacks/test_changed_answers.py -k "jsonl and sqlite"` sends so many.
"""

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.attacks.rules import all_is_well
from tests.attacks.site import Site
from tests.attacks.test_changed_files import (
    COUNT,
    FIRST,
    LOOK_EVERY,
    REFUSALS,
    changed,
    nothing_is_spoilt,
    until_it_is_worked_off,
)
from tests.attacks.test_f_parsers import KINDS

ITEMS = 12
VERSIONS_OF_ONE = 40  # pushes to one version of a model; the last one of them completes it
TABLES = {
    "annotations": "SELECT count(*) FROM annotations WHERE project_id = :p",
    "answers": "SELECT count(DISTINCT answer_id) FROM annotations WHERE project_id = :p",
    "odd": "SELECT count(*) FROM annotations WHERE project_id = :p AND (label IS NULL OR seconds_spent < 0 "
    "OR origin NOT IN ('human', 'import', 'program') OR item_id NOT IN (SELECT id FROM items WHERE project_id = :p))",
    "predicted": "SELECT coalesce(sum(rows), 0) FROM prediction_sets WHERE project_id = :p",
}


def count(site: Site, table: str, project: int) -> int:
    """How many there are of a project."""
    return int(site.rows(TABLES[table], p=project)[0][0])


def send(site: Site, path: str, kind: str, body: bytes, **query: Any) -> httpx.Response:
    """The answer to a body of rows."""
    headers = {"Content-Type": KINDS[kind.split()[1]]}
    return site.M.post(path, content=body, headers=headers, params=query, patient=True)


@pytest.mark.parametrize("kind", ["answers csv", "answers jsonl", "answers json", "answers parquet"])
def test_changed_answers_are_stored_as_the_answer_says(site: Site, kind: str) -> None:
    project = site.new_project(site.M, ITEMS, overlap=3)
    site.join(site.M, project, site.U1)
    answers = versions = 0
    seen = Counter[Any]()
    for number in range(FIRST, FIRST + COUNT):
        answer = send(site, f"/projects/{project}/annotations", kind, changed(kind, number))
        assert answer.status_code == 200 or answer.status_code in REFUSALS, (kind, number, answer.text[:500])
        said = answer.json() if answer.status_code == 200 else {"created": 0, "updated": 0, "rejected": []}
        assert all(row["line"] >= 1 and row["error"] for row in said["rejected"]), (kind, number)
        answers, versions = answers + said["created"], versions + said["created"] + said["updated"]
        now = count(site, "answers", project), count(site, "annotations", project)
        assert now == (answers, versions), f"{kind} {number}: {now} are stored, {answers} and {versions} were told of"
        seen[answer.status_code, bool(said["rejected"])] += 1
        if number % LOOK_EVERY == LOOK_EVERY - 1:
            all_is_well(site)

    assert answers, seen
    assert count(site, "odd", project) == 0
    assert nothing_is_spoilt(site, project)
    assert site.M.get(f"/projects/{project}/annotations", patient=True).status_code == 200
    assert site.M.get(f"/projects/{project}/overview", patient=True).status_code == 200
    assert site.put_aside() == []
    site.M.delete(f"/projects/{project}")


@pytest.mark.parametrize("kind", ["predictions jsonl", "predictions json", "predictions parquet"])
def test_changed_predictions_are_stored_as_the_answer_says(site: Site, kind: str) -> None:
    project = site.new_project(site.M, ITEMS, learner={"name": "external"})
    path = f"/projects/{project}/predictions"
    until_it_is_worked_off(site, project)
    rows, seen = Counter[str](), Counter[int]()
    for number in range(FIRST, FIRST + COUNT):
        version, place = f"v{number // VERSIONS_OF_ONE}", number % VERSIONS_OF_ONE
        complete = {"complete": "true"} if place == VERSIONS_OF_ONE - 1 else {}
        answer = send(site, path, kind, changed(kind, number), model="m", version=version, **complete)
        assert answer.status_code in (200, 409, *REFUSALS), (kind, number, answer.text[:500])
        assert answer.status_code != 409 or complete, (kind, number, answer.text[:500])
        if answer.status_code == 200:
            said = answer.json()
            assert said["rows"] >= rows[version], (kind, number)
            assert all(row["error"] for row in said["rejected"]), (kind, number)
            rows[version] = said["rows"]
        now = count(site, "predicted", project)
        assert now == rows.total(), f"{kind} {number}: {now} rows are stored, and {rows.total()} were told of"
        seen[answer.status_code] += 1
        if number % LOOK_EVERY == LOOK_EVERY - 1:
            all_is_well(site)

    assert rows.total(), seen
    assert nothing_is_spoilt(site, project)
    first = listed(site, path)
    assert first
    for each in site.M.get(f"/projects/{project}/items").json()["items"]:
        assert site.M.get(f"/items/{each['id']}").status_code == 200
    assert site.M.get(f"/projects/{project}/items", params={"sort": "-probability"}).status_code in (200, 422)
    assert site.put_aside() == []
    site.M.delete(f"/projects/{project}")


def listed(site: Site, path: str) -> list[dict[str, Any]]:
    """The newest versions of predictions."""
    found: list[dict[str, Any]] = site.M.get(path, params={"limit": 200}).json()["items"]
    return found
