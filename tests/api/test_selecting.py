"""Selections for labelling elsewhere: by the order or another strategy, held or not, pushed back as what they are."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.db import Annotation, Item, Job, Lease, Selected, Serving
from app.services import proposing
from tests.api.test_labelling import answer, member, take
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@contextmanager
def working(api: Api) -> Iterator[None]:
    """A worker that works while requests wait."""
    worker = api.worker()
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield
    worker.stop()
    thread.join()


def ready(api: Api, boss: Speaker, count: int = 300, **given: Any) -> int:
    """A project whose first order is published."""
    project: int = boss.project(**given)["id"]
    rows = [row | {"metadata": {"source": "web" if n % 3 else "mail"}} for n, row in enumerate(pets(count))]
    boss.push(project, rows)
    api.worker().run_waiting()
    return project


def selected(speaker: Speaker, project: int, status: int = 200, **body: Any) -> Any:
    found = speaker.post(f"/projects/{project}/select", json=body)
    assert found.status_code == status, found.text
    return found.json()


def push(boss: Speaker, project: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    body = "\n".join(json.dumps(row) for row in rows)
    found = boss.post(
        f"/projects/{project}/annotations", content=body, headers={"Content-Type": "application/x-ndjson"}
    )
    assert found.status_code == 200, found.text
    return found.json()


def kinds(api: Api, project: int) -> dict[str, int]:
    with api.db.read() as session:
        rows = session.execute(select(Annotation.kind).where(Annotation.project_id == project)).scalars().all()
    return {kind: rows.count(kind) for kind in set(rows)}


def test_a_selection_is_the_order_with_the_audit_share_and_says_how_each_item_got_in(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, audit_share=0.2)

    found = selected(boss, project, count=100)
    preview = boss.get(f"/projects/{project}/queue", params={"limit": 200}).json()["items"]

    entries = found["items"]
    audits = [each for each in entries if each["kind"] == "audit"]
    queried = [each for each in entries if each["kind"] == "query"]
    assert [each["rank"] for each in entries] == list(range(100))
    assert len({each["key"] for each in entries}) == 100
    assert found["round"] == 1
    assert found["words"] is None
    # 0.3 of the slots until 60 audit answers are in
    assert 18 <= len(audits) <= 45
    assert {each["inclusion_probability"] for each in queried} == {1.0}
    with api.db.read() as session:
        reserved = set(
            session.execute(select(Item.key).where(Item.project_id == project, Item.reserved)).scalars().all()
        )
    assert {each["key"] for each in audits} <= reserved
    assert {each["inclusion_probability"] for each in audits} == {round(len(audits) / len(reserved), 6)}
    assert all(each["score"] is None for each in audits)
    assert [each["key"] for each in queried] == [each["key"] for each in preview[: len(queried)]]
    # nothing is held, and the next selection takes the next slots of the share
    again = selected(boss, project, count=100)["items"]
    assert [each["key"] for each in again if each["kind"] == "query"][:50] == [each["key"] for each in queried][:50]
    with api.db.read() as session:
        assert session.execute(select(Serving.slots_served).where(Serving.project_id == project)).scalar_one() == 200


def test_audit_items_of_a_selection_that_people_answer_are_audit_answers(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, audit_share=0.2)
    member(api, boss, project, "ann")
    entries = selected(boss, project, count=60)["items"]
    audits = {each["key"] for each in entries if each["kind"] == "audit"}
    rest = [row["key"] for row in pets(300) if row["key"] not in {each["key"] for each in entries}]
    human = [{"key": each["key"], "label": each["key"][:3], "origin": "human", "annotator": "ann"} for each in entries]

    assert push(boss, project, human)["created"] == 60
    push(boss, project, [{"key": key, "label": key[:3], "origin": "human", "annotator": "ann"} for key in rest[:40]])

    # what nobody drew is none, although some of it is of the audit share
    assert kinds(api, project) == {"audit": len(audits), "import": 100 - len(audits)}
    status = boss.get(f"/projects/{project}/status").json()
    assert status["items"]["answered"] == 100
    assert status["audit"]["answers"] == len(audits)


def test_answers_of_programs_and_files_are_never_audit(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, audit_share=0.4)
    entries = selected(boss, project, count=20, hold_hours=5)["items"]
    assert "audit" in {each["kind"] for each in entries}

    push(boss, project, [{"key": each["key"], "label": "cat", "origin": "program"} for each in entries[:10]])
    push(boss, project, [{"key": each["key"], "label": "cat", "origin": "import"} for each in entries[10:]])

    assert kinds(api, project) == {"import": 20}


def test_held_items_are_nobody_elses_and_go_by_answers_of_others_in_bulk(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, 120, audit_share=0.2)
    ann = member(api, boss, project, "ann")

    found = selected(boss, project, count=100, hold_hours=48)
    mine = [each["key"] for each in found["items"]]
    hers = {lease["item"]["key"] for lease in take(ann, project, 50)}
    more = selected(boss, project, count=50, hold_hours=1)

    assert len(mine) == 100
    assert found["held_until"] is not None
    assert hers.isdisjoint(mine)
    assert len(hers) == 20
    assert more["items"] == []
    assert more["words"] == "no more than 0 items are open now"

    audits = {each["key"] for each in found["items"] if each["kind"] == "audit"}
    rows = [{"key": key, "label": key[:3], "origin": "human", "annotator": "ann"} for key in mine]
    assert push(boss, project, rows[:60])["created"] == 60
    assert kinds(api, project)["audit"] == len(audits & set(mine[:60]))
    with api.db.read() as session:
        states = session.execute(select(Lease.state).where(Lease.hold_hours == 48)).scalars().all()
        counted = session.execute(select(Annotation.counted, Annotation.round_id)).all()
    assert (states.count("released"), states.count("live")) == (60, 40)
    assert {row.counted for row in counted} == {True}
    assert None not in {row.round_id for row in counted}

    boss.delete(f"/projects/{project}/leases")
    assert {lease["item"]["key"] for lease in take(member(api, boss, project, "ben"), project, 50)} == set(mine[60:])


def test_beyond_the_order_items_are_drawn_at_random_and_the_answer_says_so(api: Api, boss: Speaker) -> None:
    project: int = boss.project(audit_share=0)["id"]
    boss.push(project, pets(60))

    before = selected(boss, project, count=15)

    assert before["round"] is None
    assert before["words"] == "15 are drawn at random: no round has been published yet"
    assert {(each["kind"], each["inclusion_probability"]) for each in before["items"]} == {("random", 0.25)}
    with api.db.read() as session:
        assert session.execute(select(Selected.item_id)).all() == []


def test_a_filter_chooses_by_itself_and_brings_no_audit_items(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, audit_share=0.3)

    found = selected(boss, project, count=50, filter="metadata.source=mail")

    mails = {row["key"] for n, row in enumerate(pets(300)) if n % 3 == 0}
    assert {each["key"] for each in found["items"]} <= mails
    assert {each["kind"] for each in found["items"]} <= {"query", "random"}
    assert selected(boss, project, 422, count=5, filter="class=fish")["error"] == "Invalid"


def test_another_strategy_is_computed_by_a_job_that_publishes_nothing(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, audit_share=0, blind_share=0)
    with working(api):
        refused = selected(boss, project, 422, count=10, strategy={"name": "margin"})
        for lease in take(boss, project, 30):
            answer(boss, lease["id"], lease["item"]["key"][:3])

        found = selected(boss, project, count=40, strategy={"name": "margin"}, filter="metadata.source=web")
        again = selected(boss, project, count=40, strategy={"name": "margin"}, filter="metadata.source=web")
        drawn = selected(boss, project, count=27, strategy={"name": "random"})
        held = selected(boss, project, count=5, strategy={"name": "uherding", "own": 0}, hold_hours=2)

    assert refused["detail"].startswith("strategy margin cannot run: ")
    assert [each["score"] for each in found["items"]] == sorted((e["score"] for e in found["items"]), reverse=True)
    assert {each["inclusion_probability"] for each in found["items"]} == {1.0}
    assert {int(each["key"].partition("-")[2]) % 3 for each in found["items"]} == {1, 2}
    assert found["items"] == again["items"]
    assert (drawn["strategy"], drawn["items"][0]["kind"]) == ("random", "random")
    assert {each["inclusion_probability"] for each in drawn["items"]} == {0.1}
    assert held["held_until"] is not None
    assert {lease["item"]["key"] for lease in take(boss, project, 5)} == {each["key"] for each in held["items"]}


def test_without_a_worker_a_strategy_is_a_job_to_wait_for(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, 60, audit_share=0)
    key = {"Idempotency-Key": str(uuid4())}
    body = {"count": 5, "strategy": {"name": "coverage"}}

    job = boss.post(f"/projects/{project}/select?wait=0", json=body, headers=key)
    same = boss.post(f"/projects/{project}/select?wait=0", json=body, headers=key)
    api.worker().run_waiting()

    assert job.status_code == 202
    assert job.json() == same.json()
    done = boss.get(f"/jobs/{job.json()['job']['id']}").json()
    assert done["state"] == "done"
    assert len(done["result"]["items"]) == 5


def test_a_worker_that_died_after_holding_does_not_hold_twice(
    api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = ready(api, boss, 60, audit_share=0)
    body = {"count": 5, "strategy": {"name": "coverage"}, "hold_hours": 3}
    job = boss.post(f"/projects/{project}/select?wait=0", json=body).json()["job"]["id"]
    real = proposing.Done

    def dies(result: Any) -> Any:
        monkeypatch.setattr(proposing, "Done", real)
        raise RuntimeError("killed")

    monkeypatch.setattr(proposing, "Done", dies)
    api.worker().run_waiting()
    with api.db.write() as session:
        session.get_one(Job, job).lease_until = session.get_one(Job, job).created_at
    api.worker().run_waiting()

    assert len(boss.get(f"/jobs/{job}").json()["result"]["items"]) == 5
    with api.db.read() as session:
        assert len(session.execute(select(Lease.id)).all()) == 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"count": 0}, 422),
        ({"count": 10_001}, 422),
        ({"count": 5, "hold_hours": 169}, 422),
        ({"count": 5, "strategy": {"name": "clairvoyance"}}, 422),
        ({"count": 5, "strategy": {"name": "uherding", "own": "much"}}, 422),
        ({"count": 5, "strategy": {"name": "margin"}}, 409),  # no features yet
        ({"count": 5, "filter": "colour=red"}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_selected_is_refused_by_name(boss: Speaker, body: dict[str, Any], status: int) -> None:
    project = boss.project()["id"]
    boss.push(project, pets(10))

    assert boss.post(f"/projects/{project}/select", json=body).status_code == status


def test_selections_are_for_managers_and_the_order_for_reviewers(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, 40)
    ann, rita = member(api, boss, project, "ann"), member(api, boss, project, "rita", "reviewer")

    assert ann.post(f"/projects/{project}/select", json={"count": 1}).status_code == 403
    assert rita.post(f"/projects/{project}/select", json={"count": 1}).status_code == 403
    assert ann.get(f"/projects/{project}/queue").status_code == 403
    assert rita.get(f"/projects/{project}/queue").status_code == 200
    assert api.as_("eve").get(f"/projects/{project}/queue").status_code == 404
    importer = api.as_("boss", scopes=("import", "read"))
    assert importer.post(f"/projects/{project}/select", json={"count": 1}).status_code == 200
    assert importer.post(f"/projects/{project}/select", json={"count": 1, "hold_hours": 1}).status_code == 403
    etag = boss.get(f"/projects/{project}").headers["etag"]
    boss.patch(f"/projects/{project}", json={"state": "paused"}, headers={"If-Match": etag})
    assert boss.post(f"/projects/{project}/select", json={"count": 1}).status_code == 409


def test_the_order_is_read_page_by_page_with_what_was_put_first_before_it(api: Api, boss: Speaker) -> None:
    project = ready(api, boss, 100, audit_share=0.2)
    keys = [each["key"] for each in boss.get(f"/projects/{project}/queue?limit=200").json()["items"]]
    first = [keys[30], keys[40], keys[50]]
    for priority, key in zip((5, 5, 9), first, strict=True):
        (item,) = boss.get(f"/projects/{project}/items", params={"key": key}).json()["items"]
        etag = boss.get(f"/items/{item['id']}").headers["etag"]
        assert boss.patch(f"/items/{item['id']}", json={"priority": priority}, headers={"If-Match": etag}).is_success
    held = take(member(api, boss, project, "ann"), project, 1)[0]["item"]["key"]

    pages, cursor = [], None
    while True:
        query = {"limit": 7, **({"cursor": cursor} if cursor else {})}
        found = boss.get(f"/projects/{project}/queue", params=query).json()
        pages.append(found["items"])
        cursor = found["next"]
        if cursor is None:
            break

    seen = [each["key"] for page in pages for each in page]
    assert len(seen) == len(set(seen))
    assert set(seen) == set(keys) - {held}
    assert set(seen[:2] if held in first else seen[:3]) <= set(first)
    assert pages[0][0]["words"] == "put first by a manager"
    assert pages[1][-1]["words"] == "unlike anything labelled so far"
    assert seen[3:] == [key for key in keys if key not in {*first, held}] or held in first
