"""d.B, second part: other people's things by their numbers, and rights that nobody gave."""

import statistics
from typing import Any
from uuid import uuid4

import pytest

from tests.attacks import world
from tests.attacks.matrix import bodies
from tests.attacks.site import Site
from tests.attacks.voices import PASSWORD, Voice
from tests.attacks.waiting import wait_for_the_end
from tests.attacks.world import World

case = pytest.mark.case

OF_P1 = [
    ("GET", "/items/{item}"), ("PATCH", "/items/{item}"), ("DELETE", "/items/{item}"), ("PUT", "/items/{item}/label"),
    ("POST", "/items/{item}/serve-again"), ("POST", "/items/{item}/flags"), ("PUT", "/annotations/{annotation}"),
    ("DELETE", "/annotations/{annotation}"), ("GET", "/media/{media_id}"), ("GET", "/media/{media_id}/thumbnail"),
    ("GET", "/jobs/{job}"), ("DELETE", "/jobs/{job}"), ("GET", "/jobs/{job}/rejected.csv"), ("PATCH", "/flags/{flag}"),
    ("GET", "/leases/{lease}/why"), ("POST", "/leases/{lease}/renew"), ("POST", "/leases/{lease}/skip"),
    ("DELETE", "/leases/{lease}"), ("DELETE", "/leases/{lease}/annotation"),
]  # fmt: skip
NESTED = [
    ("GET", "/webhooks/{webhook}/deliveries"), ("PATCH", "/webhooks/{webhook}"), ("DELETE", "/webhooks/{webhook}"),
    ("POST", "/webhooks/{webhook}/test"), ("GET", "/snapshots/{name}"), ("DELETE", "/snapshots/{name}"),
    ("GET", "/snapshots/{name}/export"), ("PATCH", "/members/{user}"), ("DELETE", "/members/{user}"),
    ("GET", "/rounds/999"), ("GET", "/rounds/999/labels"), ("GET", "/rounds/999/learner"),
    ("GET", "/simulations/{simulation}"),
    ("PATCH", "/classes/99"), ("POST", "/classes/99/merge"), ("GET", "/classes/99/affected"),
]  # fmt: skip


@pytest.fixture(scope="module")
def here(site: Site) -> World:
    return world.make(site)


def say(here: World, voice: Voice, method: str, path: str, where: str | None = None) -> Any:
    """The answer to a request that would be right if it came from the right person."""
    body = bodies(here.ids).get(f"{method} {path}")
    headers = {"If-Match": '"1"'} if method in ("PUT", "PATCH", "DELETE") else {}
    return voice.ask(method, f"/api/v1{here.path(where or path)}", json=body, headers=headers)


def state(site: Site, project: int) -> dict[str, Any]:
    """What is stored of a project, but for what its own people do."""
    tables = ("items", "annotations", "leases", "flags", "members", "classes", "webhooks", "snapshots", "deliveries")
    counts = {}
    for table in tables:
        where = "project_id = :project" if table != "deliveries" else "webhook_id IN (SELECT id FROM webhooks)"
        counts[table] = site.rows(f"SELECT count(*) FROM {table} WHERE {where}", project=project)[0][0]
    left = "SELECT id, state, priority FROM items WHERE project_id = :project ORDER BY id"
    jobs = "SELECT count(*) FROM jobs WHERE project_id = :project AND cancel_requested"
    counts["items"] = [tuple(row) for row in site.rows(left, project=project)]
    counts["cancelled"] = site.rows(jobs, project=project)[0][0]
    return counts


@case("B-02", "B-10", "B-11", "B-14")
@pytest.mark.parametrize(("method", "path"), OF_P1)
def test_b02_what_is_another_projects_is_not_there(site: Site, here: World, method: str, path: str) -> None:
    before = state(site, here.project)

    assert say(here, site.X, method, path).status_code == 404

    assert state(site, here.project) == before


@case("B-03", "B-10")
@pytest.mark.parametrize(("method", "path"), NESTED)
def test_b03_nor_is_it_below_ones_own_project(site: Site, here: World, method: str, path: str) -> None:
    before = state(site, here.project)
    route = (
        f"/projects/{{project}}{path}".replace("99", "{number}")
        if "/classes/" in path
        else f"/projects/{{project}}{path}"
    )

    answer = say(here, site.X, method, route, f"/projects/{site.P2}{path}")

    assert answer.status_code == 404, answer.text
    assert state(site, here.project) == before


@case("B-05", "B-06")
def test_b05_a_body_with_foreign_ids_finds_nothing(site: Site, here: World) -> None:
    before, own = state(site, here.project), state(site, site.P2)
    picture = site.X.post("/projects", json={"name": "x", "modality": "image", "task": {"classes": ["a", "b"]}}).json()[
        "id"
    ]
    tried = [
        site.X.post("/annotations", json={"lease": here.ids["lease"], "label": {"class": "cat"}}),
        site.X.post("/projects", json={"name": "stolen", "copy_of": here.project}),
        site.X.post("/tokens", json={"name": "stolen", "project": here.project}),
        site.X.post(f"/projects/{site.P2}/items/bulk/undo", json={"undo_token": f"{here.ids['job']}-guess"}),
        site.X.post(f"/projects/{site.P2}/items/bulk", json={"keys": ["item-0-of-p1"], "set": {"priority": 1}}),
        site.X.get(f"/projects/{site.P2}/snapshots/first/diff", params={"with": "first"}),
    ]
    pushed = site.X.post(f"/projects/{picture}/items", json=[{"key": "stolen", "image": here.ids["media_id"]}])

    assert [each.status_code for each in tried] == [404] * 6
    assert pushed.json()["created"] == 0
    assert all("item-0" not in each.text or "item-0-of" in each.text for each in tried)
    assert state(site, here.project) == before
    assert state(site, site.P2) == own


@case("B-07")
def test_b07_nobody_gives_himself_what_a_body_has_no_field_for(site: Site, here: World) -> None:
    hidden = {
        "role": "manager", "is_admin": True, "admin": True, "id": 1, "project_id": site.P2, "created_by": 1, "owner": 1,
        "password_hash": "x", "storage": "x", "_sa_instance_state": {}, "__class__": "x", "version": 99, "demo": True,
        "deleted_at": None, "seed_": 1, "folded_name": "x", "active": True,
    }  # fmt: skip
    routes = {
        "POST /projects": "/projects",
        "PATCH /projects/{project}": f"/projects/{here.project}",
        "POST /tokens": "/tokens",
        "POST /projects/{project}/classes": f"/projects/{here.project}/classes",
        "PATCH /items/{item}": f"/items/{here.ids['item']}",
        "POST /annotations": "/annotations",
        "POST /projects/{project}/webhooks": f"/projects/{here.project}/webhooks",
        "POST /session": "/session",
    }
    for route, path in routes.items():
        template = bodies(here.ids)[route]
        for name, value in hidden.items():
            if name not in template:
                body, method = {**template, name: value}, route.split(" ")[0]
                answer = site.M.ask(method, f"/api/v1{path}", json=body, headers={"If-Match": '"1"'})
                assert answer.status_code == 422, (route, name, answer.status_code)
    made = site.A.post("/users", json={"name": f"b07-{uuid4()}", "password": PASSWORD, "role": "admin"})
    assert made.status_code == 422
    invitation = site.M.post(f"/projects/{here.project}/invitations", json={"role": "admin"})
    assert invitation.status_code == 422
    assert site.M.patch(f"/users/{site.M.id}", json={"admin": True}).status_code == 403


@case("B-08")
def test_b08_one_annotators_own_things_are_nobody_elses(site: Site, here: World) -> None:
    assert site.U1.get(f"/users/{site.U2.id}/export").status_code == 404
    assert site.U1.patch(f"/users/{site.U2.id}", json={"active": False}).status_code == 403
    own = [each["user"] for each in site.U1.get(f"/projects/{here.project}/pace").json()["items"]]
    assert own in ([], ["U1"])
    theirs = site.U2.get(f"/projects/{here.project}/mine").json()["items"]
    assert here.ids["item"] not in [each["id"] for each in theirs]
    assert site.U2.get(f"/leases/{here.ids['lease']}/why").status_code == 404
    answer = site.U2.put(
        f"/annotations/{here.ids['annotation']}", json={"label": {"class": "dog"}}, headers={"If-Match": '"1"'}
    )
    assert answer.status_code == 403
    listed = site.U2.get(f"/projects/{here.project}/mine", params={"annotator": "U1"})
    assert listed.status_code == 422


@case("B-09")
@pytest.mark.parametrize("values", [{"priority": 3}, {"metadata": {"tag": "mine"}}, {"state": "excluded"}], ids=str)
def test_b09_many_items_at_once_are_all_of_the_own_project_or_none(
    site: Site, here: World, values: dict[str, Any]
) -> None:
    path = f"/projects/{here.project}/items/bulk"
    keys = [f"item-{n}" for n in range(5)]
    foreign = f"of-p2-{uuid4()}"
    assert site.X.post(f"/projects/{site.P2}/items", json=[{"key": foreign, "text": "x"}]).json()["created"] == 1
    everything = "SELECT id, state, priority, split, metadata, updated_at FROM items ORDER BY id"
    changes = "SELECT count(*) FROM jobs WHERE kind = 'edit'"

    def change(given: list[str]) -> Any:
        return site.M.post(path, json={"keys": given, "set": values})

    before, jobs = [tuple(map(str, row)) for row in site.rows(everything)], site.rows(changes)[0][0]
    for mixed in ([*keys, foreign], [foreign, *keys], [foreign], [*keys, "never was"], [*keys, keys[0], foreign]):
        refused = change(mixed)
        assert refused.status_code == 404, refused.text
    assert change([f"k{n}" for n in range(100_001)]).status_code == 422
    assert change([""]).status_code == 422
    assert site.X.post(path, json={"keys": keys, "set": values}).status_code == 404
    assert site.U1.post(path, json={"keys": keys, "set": values}).status_code == 403
    assert site.rows(changes)[0][0] == jobs
    assert [tuple(map(str, row)) for row in site.rows(everything)] == before

    twice = change([*keys, *keys])
    assert (twice.status_code, twice.json()["items"]) == (202, 5)
    done = wait_for_the_end(site.M, twice.json()["job"]["id"])
    assert done["state"] == "done", done
    assert done["result"] == {"changed": 5, "unchanged": 0}
    undone = site.M.post(f"{path}/undo", json={"undo_token": twice.json()["undo_token"]})
    assert wait_for_the_end(site.M, undone.json()["job"]["id"])["result"]["restored"] == 5


@case("B-11")
def test_b11_an_annotator_neither_reads_nor_ends_a_managers_work(site: Site, here: World) -> None:
    assert site.U1.get(f"/jobs/{here.ids['job']}").status_code == 403
    assert site.U1.delete(f"/jobs/{here.ids['job']}").status_code == 403
    assert site.U1.get(f"/jobs/{here.ids['job']}/rejected.csv").status_code == 403
    member = site.new_user(f"gone-{uuid4()}")
    site.join(site.M, here.project, member, "manager")
    job = member.post(f"/projects/{here.project}/snapshots", json={"name": f"g{uuid4().hex[:6]}"}).json()["job"]["id"]
    assert member.get(f"/jobs/{job}").status_code == 200
    site.M.delete(f"/projects/{here.project}/members/{member.id}")
    assert member.get(f"/jobs/{job}").status_code == 404


@case("B-12")
def test_b12_what_others_answered_is_not_seen_by_who_answers_next(site: Site) -> None:
    project = site.new_project(site.M, 3, overlap=2, blind_share=1, audit_share=1)
    for person in (site.U1, site.U2):
        site.join(site.M, project, person)
    [first] = site.lease(site.U1, project)
    assert site.answer(site.U1, first, "dog").status_code == 201

    told = [
        site.U2.post(f"/projects/{project}/leases", json={"count": 3}).text,
        site.U2.get(f"/projects/{project}/progress").text,
        site.U2.get(f"/projects/{project}/status").text,
        site.U2.get(f"/projects/{project}/pace").text,
        site.U2.get(f"/projects/{project}/mine").text,
    ]

    for text in told:
        assert '"U1"' not in text
        assert '"audit"' not in text or "served" in text or text == told[2]
    for lease in site.lease(site.U2, project, 3):
        assert lease["suggestion"] is None
        assert lease["reason"] is None or "kind" not in lease["reason"]
        assert site.U2.get(f"/leases/{lease['id']}/why").json() == {"blind": True, "classes": [], "neighbours": []}
        assert site.U2.get(f"/items/{lease['item']['id']}").status_code == 403
    for filters in (
        "class=dog",
        "annotator=U1",
        "predicted.class=dog",
        "kind=audit",
        "status=answered",
        "disputed=true",
    ):
        answer = site.U2.post(f"/projects/{project}/leases", json={"count": 1, "filter": filters})
        assert answer.status_code in (403, 422), filters
        assert site.U2.get(f"/projects/{project}/items?{filters}").status_code == 403
        assert site.U2.get(f"/projects/{project}/export?{filters}").status_code == 403


@case("B-12")
def test_b12_no_word_of_anothers_answer_is_found_by_looking_for_it(site: Site) -> None:
    """The answer is a word that stands nowhere else, so whoever is told anything of it is told this word."""
    word = f"canary{uuid4().hex}"
    project = site.new_project(site.M, 3, overlap=2, blind_share=1, audit_share=1, task={"type": "transcription"})
    for person in (site.U1, site.U2):
        site.join(site.M, project, person)
    own = [f"/projects/{project}", f"/projects/{project}/progress", f"/projects/{project}/pace"]

    def seen() -> list[tuple[str, str | None]]:
        answers = [site.U2.get(path) for path in own]
        return [(each.text, each.headers.get("etag")) for each in answers]

    site.lease(site.U2, project, 3)
    before = seen()
    [first] = site.lease(site.U1, project)
    body = {"lease": first["id"], "label": {"text": f"it says {word}"}}
    assert site.U1.post("/annotations", json=body).status_code == 201
    flagged = site.U1.post(f"/items/{first['item']['id']}/flags", json={"note": f"note {word}"})
    assert flagged.status_code == 201

    assert word in site.M.get(f"/projects/{project}/export", params={"view": "annotations"}).text
    assert [etag for _, etag in seen()] == [etag for _, etag in before]
    for path in (*own, f"/projects/{project}/status", f"/projects/{project}/mine", "/projects", "/session", "/tokens"):
        assert word not in site.U2.get(path).text, path
    for query in ({"q": word}, {"q": word, "status": "flagged"}, {"q": f"it says {word}"}):
        assert site.U2.get(f"/projects/{project}/mine", params=query).json()["items"] == []
        assert site.U2.get(f"/projects/{project}/items", params=query).status_code == 403
        assert site.U2.get(f"/projects/{project}/items/count", params=query).status_code == 403
        assert site.U2.get(f"/projects/{project}/export", params=query).status_code == 403
        assert site.U2.get(f"/projects/{project}/annotations", params=query).status_code in (403, 422)
    held = site.U2.post(f"/projects/{project}/leases", json={"count": 3})
    assert held.json()["leases"]
    assert word not in held.text
    for lease in held.json()["leases"]:
        assert word not in site.U2.get(f"/leases/{lease['id']}/why").text
    browser = site.U2.browser()
    for page in ("annotate", "my-answers", f"my-answers?q={word}"):
        text = browser.ask("GET", f"/projects/{project}/{page}", headers={"Accept": "text/html"}).text
        assert word not in text.replace(f"q={word}", ""), page


@case("B-13")
def test_b13_the_last_admin_and_the_last_manager_stay(site: Site) -> None:
    project = site.new_project(site.M, 0)

    assert site.A.patch(f"/users/{site.A.id}", json={"admin": False}).status_code == 409
    assert site.A.patch(f"/users/{site.A.id}", json={"active": False}).status_code == 409
    assert site.A.delete(f"/users/{site.A.id}").status_code == 409
    assert site.M.delete(f"/projects/{project}/members/{site.M.id}").status_code == 409
    assert site.M.patch(f"/projects/{project}/members/{site.M.id}", json={"role": "annotator"}).status_code == 409
    assert site.A.delete(f"/users/{site.M.id}").status_code == 409


@case("B-14")
def test_b14_nobody_answers_in_anothers_name(site: Site, here: World) -> None:
    lease = here.ids["lease"]
    before = state(site, here.project)
    for body in ({"count": 1, "user_id": site.U2.id}, {"count": 1, "annotator": "U2"}, {"count": 1, "user": "U2"}):
        assert site.U1.post(f"/projects/{here.project}/leases", json=body).status_code == 422
    for voice in (site.U2, site.M, site.A, site.X):
        answer = voice.post("/annotations", json={"lease": lease, "label": {"class": "cat"}})
        assert answer.status_code == 404
    named = {"lease": lease, "label": {"class": "cat"}, "annotator": "U2"}
    assert site.U1.post("/annotations", json=named).status_code == 422
    bulk = [{"key": "item-3", "label": {"class": "cat"}, "origin": "human", "annotator": "U2"}]
    assert site.U1.post(f"/projects/{here.project}/annotations", json=bulk).status_code == 403
    assert state(site, here.project) == before


@case("B-15")
def test_b15_a_foreign_thing_and_one_that_never_was_look_alike(site: Site, here: World) -> None:
    for path, mine in (
        ("/items/{}", here.ids["item"]), ("/media/{}", here.ids["media_id"]), ("/jobs/{}", here.ids["job"]),
        ("/projects/{}", here.project), ("/leases/{}/why", here.ids["lease"]), ("/projects/{}/items", here.project),
    ):  # fmt: skip
        foreign, nothing = [], []
        for n in range(12):
            foreign.append(site.X.get(path.format(mine)))
            nothing.append(site.X.get(path.format(900_000_000 + n)))
        told = {(each.status_code, each.json()["error"], each.json()["detail"]) for each in (*foreign, *nothing)}
        assert len(told) == 1, (path, told)
        one, other = (statistics.median(each.elapsed.total_seconds() for each in some) for some in (foreign, nothing))
        assert abs(one - other) < 0.02, (path, one, other)  # a look-up, not a walk
    for path, name in (("/annotations/{}", "annotation"), ("/flags/{}", "flag")):
        sent = {"json": {"label": {"class": "cat"}} if name == "annotation" else {"state": "closed"}}
        method = "PUT" if name == "annotation" else "PATCH"
        told = set()
        for number in (here.ids[name], 900_000_000):
            answer = site.X.ask(method, f"/api/v1{path.format(number)}", headers={"If-Match": '"1"'}, **sent)
            told.add((answer.status_code, answer.json()["detail"]))
        assert len(told) == 1, told
