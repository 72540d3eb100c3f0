"""d.H: the same request many times, two at once, and things that change under somebody's hands."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.attacks import world
from tests.attacks.site import Site
from tests.attacks.voices import PASSWORD, Voice, at_once, key
from tests.attacks.waiting import wait_for_a_round

case = pytest.mark.case

NOT_HERE = {
    "H-16": "the service keeps no drafts: a half-filled form lives in its tab, see tests/browser/test_forms.py",
}
TASK = {"type": "classification", "classes": ["cat", "dog"]}


@pytest.fixture(scope="module")
def crowd(site: Site) -> list[Voice]:
    """Ten people more."""
    return [site.new_user(f"crowd-{uuid4()}") for _ in range(10)]


def submit(
    voice: Voice, lease: int, label: str, headers: dict[str, str] | None = None, **options: Any
) -> httpx.Response:
    """The answer to a label."""
    body = {"lease": lease, "label": {"class": label}}
    return voice.post("/annotations", json=body, headers=headers or {}, **options)


def counted(site: Site, project: int) -> dict[int, int]:
    """The answers that count, by item."""
    rows = site.rows(
        "SELECT item_id, count(DISTINCT answer_id) FROM annotations a WHERE project_id = :p AND counted "
        "AND NOT retracted "
        "AND version = (SELECT max(version) FROM annotations b WHERE b.answer_id = a.answer_id) GROUP BY item_id",
        p=project,
    )
    return {row[0]: row[1] for row in rows}


def nothing_goes_on(site: Site, project: int) -> None:
    """Of a deleted project no job is left that works, no file that was put aside, and no row without its item."""
    end, live = time.monotonic() + 60, "state IN ('waiting', 'running') AND kind NOT IN ('purge', 'search')"
    while left := site.rows(f"SELECT kind, state FROM jobs WHERE project_id = :p AND {live}", p=project):
        assert time.monotonic() < end, f"of a deleted project {left} go on"
        time.sleep(0.2)
    assert site.put_aside() == []
    for table, column in (("annotations", "item_id"), ("leases", "item_id"), ("flags", "item_id")):
        orphans = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM items)"
        assert site.rows(orphans)[0][0] == 0, table


@case("H-01")
def test_h01_an_answer_that_is_sent_twenty_times_is_one(site: Site) -> None:
    project = site.new_project(site.M, 3)
    [lease] = site.lease(site.M, project)
    headers = key()

    answers = at_once([partial(submit, site.M, lease["id"], "cat", headers, patient=True)] * 20)

    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["id"] for each in answers}) == 1
    assert site.rows("SELECT count(*) FROM annotations WHERE project_id = :p", p=project)[0][0] == 1


@case("H-02")
def test_h02_a_key_is_of_one_body_and_one_person(site: Site) -> None:
    project = site.new_project(site.M, 4, overlap=2)
    site.join(site.M, project, site.U1)
    first, second = site.lease(site.M, project, 2)
    [own] = site.lease(site.U1, project)
    headers = key()

    assert submit(site.M, first["id"], "cat", headers).status_code == 201
    assert submit(site.M, first["id"], "cat", headers).status_code == 201
    assert submit(site.M, first["id"], "dog", headers).status_code == 422
    assert submit(site.M, second["id"], "cat", headers).status_code == 422
    assert submit(site.U1, own["id"], "dog", headers).status_code == 201
    for wrong in ("", "x" * 10_000, "not-a-uuid", "1", "00000000-0000-0000-0000-00000000000g"):
        assert submit(site.M, second["id"], "cat", {"Idempotency-Key": wrong}).status_code == 422, wrong
        assert site.M.post("/projects", json={}, headers={"Idempotency-Key": wrong}).status_code == 422
    assert sorted(counted(site, project).values()) in ([2], [1, 1])


@case("H-03", "H-15")
def test_h03_what_is_made_with_one_key_is_made_once(site: Site) -> None:
    name, headers = f"once-{uuid4()}", key()
    body = {"name": name, "modality": "text", "task": TASK}

    made = at_once([partial(site.M.post, "/projects", json=body, headers=headers, patient=True)] * 8)
    foreign = site.X.post("/projects", json=body, headers=headers)
    later = site.M.post("/projects", json=body, headers=headers)

    assert {each.status_code for each in made} <= {201, 409}
    assert len({each.json()["id"] for each in made if each.status_code == 201}) == 1
    assert later.json()["id"] in {each.json().get("id") for each in made}
    assert foreign.json()["id"] != later.json()["id"]
    assert site.rows("SELECT count(*) FROM projects WHERE name = :name", name=name)[0][0] == 2
    secret = key()
    token = {"name": name, "scopes": ["read"]}
    twice = [site.M.post("/tokens", json=token, headers=secret).status_code for _ in range(2)]
    assert twice == [201, 409]
    assert site.rows("SELECT count(*) FROM tokens WHERE name = :name", name=name)[0][0] == 1


@case("H-03")
def test_h03_an_import_and_a_training_with_one_key_have_one_effect(site: Site) -> None:
    project = site.new_project(site.M, 12, round_size=10_000)
    for lease in site.lease(site.M, project, 8):
        site.answer(site.M, lease, "dog" if lease["item"]["text"].split()[-1] in "1357" else "cat")
    rows = [{"text": f"without a key {n}"} for n in range(40)]  # keyless rows are told apart by their content
    pushed = {"json": rows, "headers": key(), "patient": True, "may_be_busy": True}
    trained = {"headers": key(), "patient": True, "may_be_busy": True}

    assert wait_for_a_round(site, project)
    rounds = at_once([partial(site.M.post, f"/projects/{project}/rounds", **trained)] * 6)
    rounds.append(site.M.post(f"/projects/{project}/rounds", **trained))
    imports = at_once([partial(site.M.post, f"/projects/{project}/items", **pushed)] * 6)
    imports.append(site.M.post(f"/projects/{project}/items", **pushed))

    assert {each.status_code for each in imports} <= {200, 409, 503}
    assert {each.status_code for each in rounds} <= {202, 409, 503}
    assert sum(each.json()["created"] for each in imports if each.status_code == 200) >= 40
    stored = "SELECT count(*) FROM items WHERE project_id = :p"
    assert site.rows(stored, p=project)[0][0] == 12 + 40
    started = {each.json()["job"]["id"] for each in rounds if each.status_code == 202}
    assert len(started) == 1
    waiting = "SELECT count(*) FROM jobs WHERE project_id = :p AND kind = 'round' AND state = 'waiting'"
    assert site.rows(waiting, p=project)[0][0] <= 1


@case("H-04")
def test_h04_a_change_names_the_version_that_it_changes(site: Site) -> None:
    here = world.make(site)
    routes: list[tuple[str, str, Any, str]] = [
        (
            "PATCH",
            f"/projects/{here.project}",
            {"name": "New"},
            site.M.get(f"/projects/{here.project}").headers["etag"],
        ),
        (
            "PATCH",
            f"/items/{here.ids['item']}",
            {"priority": 3},
            site.M.get(f"/items/{here.ids['item']}").headers["etag"],
        ),
        ("PUT", f"/annotations/{here.ids['annotation']}", {"label": {"class": "dog"}}, '"1"'),
    ]
    for method, path, body, version in routes:
        change = partial(site.M.ask, method, f"/api/v1{path}", json=body)
        assert change().status_code == 428, path
        for wrong in (
            "*",
            f"W/{version}",
            f'{version}, "7"',
            '"0"',
            '""',
            "",
            '"' + "9" * 300 + '"',
            "\u00e4".encode(),
        ):
            assert change(headers={"If-Match": wrong}).status_code == 412, (path, wrong)
        assert change(headers={"If-Match": version}).status_code == 200, path
        assert change(headers={"If-Match": version}).status_code == 412, path
    version = site.M.get(f"/projects/{here.project}").headers["etag"]
    race = [
        partial(
            site.M.patch,
            f"/projects/{here.project}",
            json={"name": f"N{n}"},
            headers={"If-Match": version},
            patient=True,
        )
        for n in range(8)
    ]
    assert sorted(each.status_code for each in at_once(race)) == [200] + [412] * 7


@case("H-05")
def test_h05_one_person_asking_often_gets_the_same_items(site: Site) -> None:
    project = site.new_project(site.M, 30)
    site.lease(site.M, project, 1)
    site.M.delete(f"/projects/{project}/leases")

    answers = at_once([partial(site.M.post, f"/projects/{project}/leases", json={"count": 3}, patient=True)] * 30)

    held = {tuple(sorted(lease["id"] for lease in each.json()["leases"])) for each in answers}
    assert len(held) == 1
    live = "SELECT count(*) FROM leases WHERE project_id = :p AND state = 'live'"
    assert site.rows(live, p=project)[0][0] == 3


@case("H-05")
def test_h05_more_people_than_items_each_get_one_or_hear_when(site: Site, crowd: list[Voice]) -> None:
    project = site.new_project(site.M, 4)
    for person in crowd:
        site.join(site.M, project, person)
    site.lease(site.M, project, 1)
    site.M.delete(f"/projects/{project}/leases")

    answers = at_once(
        [partial(each.post, f"/projects/{project}/leases", json={"count": 1}, patient=True) for each in crowd]
    )

    given = [lease["item"]["id"] for each in answers for lease in each.json()["leases"]]
    empty = [each.json() for each in answers if not each.json()["leases"]]
    assert len(given) == len(set(given)) == 4
    assert len(empty) == len(crowd) - 4
    assert all(each["state"] == "exhausted" and each["retry_after_seconds"] > 0 for each in empty)


@case("H-06")
def test_h06_an_answer_for_what_is_not_held_any_more(site: Site) -> None:
    project = site.new_project(site.M, 8)
    for person in (site.U1, site.U2):
        site.join(site.M, project, person)
    expired, released, taken, deleted, last = site.lease(site.U1, project, 5)
    site.rows(
        "UPDATE leases SET expires_at = '2001-01-01 00:00:00.000000' WHERE id IN (:a, :b)",
        a=expired["id"],
        b=taken["id"],
    )
    site.U1.delete(f"/leases/{released['id']}")
    site.M.delete(f"/items/{deleted['item']['id']}")
    for lease in site.lease(site.U2, project, 8):
        if lease["item"]["id"] == taken["item"]["id"]:
            assert submit(site.U2, lease["id"], "dog").status_code == 201
    site.U2.delete(f"/projects/{project}/leases")

    late, back, lost, gone = (submit(site.U1, each["id"], "cat") for each in (expired, released, taken, deleted))

    assert (late.status_code, late.json()["late"], late.json()["counted"]) == (201, True, True)
    assert back.status_code in (201, 409)
    assert (lost.status_code, lost.json()["counted"]) == (201, False)
    assert (gone.status_code, gone.json()["label"]) == (410, {"class": "cat"})
    for foreign in (last["id"] + 1_000_000, 2**62):
        assert submit(site.U1, foreign, "cat").status_code == 404
    assert submit(site.U2, last["id"], "cat").status_code == 404
    version = {"If-Match": site.M.get(f"/projects/{project}").headers["etag"]}
    assert site.M.patch(f"/projects/{project}", json={"state": "closed"}, headers=version).status_code == 200
    closed = submit(site.U1, last["id"], "cat")
    assert (closed.status_code, closed.json()["label"]) == (409, {"class": "cat"})
    assert set(counted(site, project).values()) == {1}


@case("H-07")
def test_h07_nobody_holds_an_item_for_ever(site: Site) -> None:
    project = site.new_project(site.M, 3)
    [lease] = site.lease(site.M, project)
    renew = partial(site.M.post, f"/leases/{lease['id']}/renew")
    served = "UPDATE leases SET served_at = '{}', expires_at = '{}' WHERE id = :id"

    assert {renew().status_code for _ in range(50)} == {200}
    assert renew(params={"seconds": 10**9}).status_code == 422
    assert site.M.post(f"/projects/{project}/leases", json={"count": 1, "hold_hours": 49}).status_code == 422
    soon = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime(time.time() - 1))
    site.rows(served.format("2001-01-01 00:00:00.000000", soon), id=lease["id"])
    assert renew().status_code == 409


@case("H-08")
def test_h08_a_project_is_deleted_while_everybody_works_in_it(site: Site, crowd: list[Voice]) -> None:
    project = site.new_project(site.M, 60)
    for person in crowd[:4]:
        site.join(site.M, project, person)
    site.lease(site.M, project, 1)
    over, seen = Event(), set()

    def work(voice: Voice) -> None:
        while not over.is_set():
            given = voice.post(f"/projects/{project}/leases", json={"count": 1}, may_be_busy=True, patient=True)
            seen.add(given.status_code)
            for lease in given.json().get("leases", ()):
                seen.add(submit(voice, lease["id"], "cat", may_be_busy=True, patient=True).status_code)

    def manage() -> None:
        number = 0
        while not over.is_set():
            number += 1
            rows = [{"key": f"late-{number}", "text": f"late {number}"}]
            pushed = site.M.post(f"/projects/{project}/items", json=rows, may_be_busy=True, patient=True)
            started = site.M.post(f"/projects/{project}/rounds", may_be_busy=True, patient=True)
            exported = site.M.get(f"/projects/{project}/export", may_be_busy=True, patient=True)
            seen.update(each.status_code for each in (pushed, started, exported))

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(work, person) for person in crowd[:4]] + [pool.submit(manage)]
        time.sleep(0.6)
        assert site.M.delete(f"/projects/{project}", patient=True).status_code == 204
        time.sleep(0.3)
        over.set()
        for each in running:
            each.result(30)

    assert seen <= {200, 201, 202, 404, 409, 410, 503}
    assert 404 in seen
    nothing_goes_on(site, project)
    assert site.M.post(f"/projects/{project}/restore").status_code == 200
    assert set(counted(site, project).values()) <= {1}


@case("H-09")
def test_h09_somebody_is_switched_off_while_answering(site: Site) -> None:
    project = site.new_project(site.M, 30)
    person = site.new_user(f"leaving-{uuid4()}")
    site.join(site.M, project, person)
    leases = site.lease(person, project, 10)
    stored = 0

    for lease in leases:
        answer, off = at_once(
            [
                partial(submit, person, lease["id"], "cat", patient=True),
                partial(site.A.patch, f"/users/{person.id}", json={"active": False}, patient=True),
            ]
        )
        assert off.status_code == 200
        assert answer.status_code in (201, 401)
        stored += answer.status_code == 201
        site.A.patch(f"/users/{person.id}", json={"active": True})

    assert sum(counted(site, project).values()) == stored
    answered = "SELECT count(*) FROM leases WHERE project_id = :p AND state = 'answered'"
    assert site.rows(answered, p=project)[0][0] == stored


@case("H-10")
def test_h10_the_overlap_stays_what_it_was(site: Site, crowd: list[Voice]) -> None:
    project = site.new_project(site.M, 3, overlap=3)
    version = {"If-Match": site.M.get(f"/projects/{project}").headers["etag"]}
    assert site.M.patch(f"/projects/{project}", json={"overlap": 1}, headers=version).status_code == 422
    for person in crowd:
        site.join(site.M, project, person)
    site.lease(site.M, project, 1)
    site.M.delete(f"/projects/{project}/leases")

    def label(person: Voice) -> None:
        given = person.post(f"/projects/{project}/leases", json={"count": 3}, patient=True).json()["leases"]
        for lease in given:
            assert submit(person, lease["id"], "dog", patient=True).status_code == 201

    at_once([partial(label, person) for person in crowd])

    assert set(counted(site, project).values()) == {3}


@case("H-11")
def test_h11_of_many_rounds_that_are_asked_for_one_waits(site: Site) -> None:
    project = site.new_project(site.M, 20)
    site.lease(site.M, project, 1)

    answers = at_once([partial(site.M.post, f"/projects/{project}/rounds", patient=True)] * 20)

    assert {each.status_code for each in answers} <= {202, 409}
    waiting = "SELECT count(*) FROM jobs WHERE project_id = :p AND kind = 'round' AND state IN ('waiting', 'running')"
    assert site.rows(waiting, p=project)[0][0] <= 2  # one that runs and one behind it
    [job, *_] = [each.json()["job"]["id"] for each in answers if each.status_code == 202]
    assert site.M.delete(f"/jobs/{job}").status_code in (204, 409)
    assert site.M.post(f"/projects/{project}/rounds").status_code in (202, 409)


@case("H-12")
def test_h12_what_there_can_be_one_of_is_made_once(site: Site) -> None:
    assert sorted(each.status_code for each in site.set_ups) == [201, 404, 404]
    assert site.rows("SELECT count(*) FROM users WHERE admin")[0][0] == 1
    code = site.M.post(f"/projects/{site.P1}/invitations", json={"uses": 1}).json()["url"].rsplit("/", 1)[-1]
    joining = [
        partial(
            site.nobody.post,
            f"/invitations/{code}/accept",
            json={"name": f"joined-{uuid4()}", "password": PASSWORD},
            patient=True,
        )
        for _ in range(4)
    ]
    assert sorted(each.status_code for each in at_once(joining)) == [201, 404, 404, 404]
    name, slug = f"one-{uuid4()}", f"one-{uuid4().hex[:12]}"
    user = partial(site.A.post, "/users", json={"name": name, "password": PASSWORD}, patient=True)
    assert sorted(each.status_code for each in at_once([user] * 4)) == [201, 409, 409, 409]
    body = {"name": name, "slug": slug, "modality": "text", "task": TASK}
    made = at_once([partial(site.M.post, "/projects", json=body, patient=True)] * 4)
    assert sorted(each.status_code for each in made) == [201, 409, 409, 409], [each.text for each in made]
