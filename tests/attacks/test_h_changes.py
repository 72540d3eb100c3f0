"""d.H, second part: files, classes and orders that change under somebody's hands."""

import json
import time
from functools import partial

import pytest

from tests.attacks.site import Site
from tests.attacks.test_h_races import counted, crowd, submit
from tests.attacks.voices import Voice, at_once

case = pytest.mark.case
__all__ = ["crowd"]  # a fixture


@case("H-13")
def test_h13_a_file_that_is_imported_five_times_at_once_is_there_once(site: Site) -> None:
    project = site.new_project(site.M, 0)
    rows = "\n".join(json.dumps({"key": f"k{n}", "text": f"text {n}", "label": "cat"}) for n in range(300))
    push = partial(
        site.M.post,
        f"/projects/{project}/items",
        content=rows.encode(),
        headers={"Content-Type": "application/x-ndjson"},
        patient=True,
        may_be_busy=True,
    )

    reports = at_once([push] * 5)

    done = [each.json() for each in reports if each.status_code == 200]
    assert {each.status_code for each in reports} <= {200, 503}
    assert sum(each["created"] for each in done) == 300
    found = site.rows("SELECT count(*), count(DISTINCT key) FROM items WHERE project_id = :p", p=project)[0]
    assert tuple(found) == (300, 300)
    assert set(counted(site, project).values()) == {1}


@case("H-14")
def test_h14_a_class_goes_while_people_answer_with_it(site: Site, crowd: list[Voice]) -> None:
    project = site.new_project(site.M, 30)
    for person in crowd[:6]:
        site.join(site.M, project, person)
    number = site.M.post(f"/projects/{project}/classes", json={"name": "cow"}).json()["id"]
    leases = [(person, site.lease(person, project, 1)[0]) for person in crowd[:6]]
    calls = [partial(submit, person, lease["id"], "cow", patient=True) for person, lease in leases]
    calls.insert(3, partial(site.M.delete, f"/projects/{project}/classes/{number}", patient=True))

    answers = at_once(calls)

    deleted = answers.pop(3)
    assert deleted.status_code in (204, 409)
    assert {each.status_code for each in answers} <= {201, 409, 422}
    stored = [each for each in answers if each.status_code == 201]
    assert (deleted.status_code == 409) == bool(stored)
    assert site.M.get(f"/projects/{project}/export", params={"view": "annotations"}).status_code == 200
    assert site.M.get(f"/projects/{project}/overview").status_code == 200


@case("H-17")
def test_h17_a_walk_through_the_order_is_through_one_round(site: Site) -> None:
    project = site.new_project(site.M, 60, round_size=5)
    for lease in site.lease(site.M, project, 10):
        site.answer(site.M, lease, "dog" if lease["item"]["text"].split()[-1] in "13579" else "cat")
    first = site.M.get(f"/projects/{project}/queue", params={"limit": 5}).json()
    before, end = first["round"], time.monotonic() + 60
    site.M.post(f"/projects/{project}/rounds")
    while site.M.get(f"/projects/{project}/status").json()["queue"]["round"] == before:
        assert time.monotonic() < end, "no new round within a minute"
        time.sleep(0.05)

    second = site.M.get(f"/projects/{project}/queue", params={"limit": 5, "cursor": first["next"]})

    assert second.status_code == 410 or second.json()["round"] == before, second.text[:300]
