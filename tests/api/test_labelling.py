"""Leases and answers: nothing is given twice, nothing acknowledged is lost."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from app.db import Annotation, Item, Lease
from tests.conftest import Api, Speaker

pytestmark = pytest.mark.both


def texts(count: int) -> list[dict]:
    return [{"key": f"k{number}", "text": f"text number {number} of the pile {number * 7}"} for number in range(count)]


def ready(api: Api, count: int = 30, **given) -> tuple[Speaker, int]:
    boss = api.as_("boss")
    project = boss.project(**given)["id"]
    boss.push(project, texts(count))
    return boss, project


def member(api: Api, boss: Speaker, project: int, name: str, role: str = "annotator") -> Speaker:
    speaker = api.as_(name)
    assert boss.post(f"/projects/{project}/members", json={"user": name, "role": role}).status_code in (200, 201)
    return speaker


def take(speaker: Speaker, project: int, count: int = 1) -> list[dict]:
    answer = speaker.post(f"/projects/{project}/leases", json={"count": count})
    assert answer.status_code == 200, answer.text
    return answer.json()["leases"]


def answer(speaker: Speaker, lease: int, name: str = "cat", key: str | None = None):
    body = {"lease": lease, "label": {"class": name}, "seconds_spent": 2.5}
    return speaker.post("/annotations", json=body, headers={"Idempotency-Key": key or str(uuid4())})


def end_leases(api: Api) -> None:
    with api.db.write() as session:
        session.execute(update(Lease).values(expires_at=datetime.now(UTC) - timedelta(hours=1)))


def test_reloading_gives_the_same_items(api: Api) -> None:
    boss, project = ready(api)

    first, again = take(boss, project, 5), take(boss, project, 5)

    assert [each["id"] for each in first] == [each["id"] for each in again]


def test_two_people_never_hold_the_same_item(api: Api) -> None:
    boss, project = ready(api, 60)
    people = [member(api, boss, project, f"annotator {number}") for number in range(4)]
    held: list[int] = []
    lock = threading.Lock()

    def work(speaker: Speaker) -> None:
        for _ in range(3):
            leases = take(speaker, project, 5)
            for each in leases:
                assert answer(speaker, each["id"]).status_code == 201
            with lock:
                held.extend(each["item"]["id"] for each in leases)

    threads = [threading.Thread(target=work, args=(each,)) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(held) == len(set(held)) == 60


def test_overlap_gives_an_item_to_so_many_people_and_no_more(api: Api) -> None:
    boss, project = ready(api, 3, overlap=2)
    people = [member(api, boss, project, f"annotator {number}") for number in range(3)]

    given = [[each["item"]["id"] for each in take(speaker, project, 5)] for speaker in people]

    assert sorted(map(len, given)) == [0, 3, 3]


def test_an_answer_sent_twice_is_stored_once(api: Api) -> None:
    boss, project = ready(api)
    lease, key = take(boss, project)[0]["id"], str(uuid4())

    first, again = answer(boss, lease, key=key), answer(boss, lease, key=key)
    other = answer(boss, lease, "dog")

    assert first.status_code == again.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["label"] == {"class": "cat"}
    assert other.status_code == 409
    assert other.json()["error"] == "AlreadyAnswered"
    assert other.json()["label"] == {"class": "cat"}


def test_a_late_answer_counts_while_its_slot_is_free(api: Api) -> None:
    boss, project = ready(api, 1)
    lease = take(boss, project)[0]["id"]
    end_leases(api)

    stored = answer(boss, lease).json()

    assert (stored["late"], stored["counted"]) == (True, True)


def test_a_late_answer_is_kept_as_extra_when_a_colleague_has_the_slot(api: Api) -> None:
    boss, project = ready(api, 1)
    colleague = member(api, boss, project, "colleague")
    lease = take(boss, project)[0]["id"]
    end_leases(api)
    other = take(colleague, project)[0]["id"]
    assert answer(colleague, other, "dog").json()["counted"]

    stored = answer(boss, lease, "cat")

    assert stored.status_code == 201
    assert stored.json()["counted"] is False
    assert boss.get(f"/projects/{project}/status").json()["annotations"] == 1
    lines = boss.get(f"/projects/{project}/export", params={"extra": True}).text.splitlines()
    assert len(lines) == 2


def test_taking_an_answer_back_gives_the_item_again_and_keeps_the_history(api: Api) -> None:
    boss, project = ready(api, 2)
    lease = take(boss, project)[0]
    answer(boss, lease["id"])

    fresh = boss.delete(f"/leases/{lease['id']}/annotation")
    repeated = boss.delete(f"/leases/{lease['id']}/annotation")

    assert fresh.status_code == 200
    assert fresh.json()["item"]["id"] == lease["item"]["id"]
    assert repeated.json()["id"] == fresh.json()["id"]
    assert boss.get(f"/projects/{project}/status").json()["annotations"] == 0
    assert answer(boss, fresh.json()["id"], "dog").json()["label"] == {"class": "dog"}
    with api.db.read() as session:
        assert session.execute(select(func.count()).select_from(Annotation)).scalar_one() == 3


def test_a_skipped_item_goes_to_somebody_else_and_after_three_people_to_nobody(api: Api) -> None:
    boss, project = ready(api, 1)
    for number in range(3):
        speaker = member(api, boss, project, f"annotator {number}")
        lease = take(speaker, project)[0]["id"]
        assert speaker.post(f"/leases/{lease}/skip", json={"reason": "unreadable"}).status_code == 204
        assert speaker.post(f"/leases/{lease}/skip", json={}).status_code == 204
        assert take(speaker, project) == []

    assert take(boss, project) == []
    with api.db.read() as session:
        assert session.execute(select(Item.skips)).scalar_one() == 3


def test_a_correction_is_a_new_version_and_needs_the_old_ones_number(api: Api) -> None:
    boss, project = ready(api)
    stored = answer(boss, take(boss, project)[0]["id"])
    where, body = f"/annotations/{stored.json()['id']}", {"label": {"class": "dog"}}

    missing = boss.put(where, json=body)
    done = boss.put(where, json=body, headers={"If-Match": stored.headers["ETag"]})
    old = boss.put(where, json=body, headers={"If-Match": stored.headers["ETag"]})

    assert (missing.status_code, done.status_code, old.status_code) == (428, 200, 412)
    assert done.json()["version"] == 2
    assert done.json()["label"] == {"class": "dog"}


def test_bad_labels_are_refused_with_the_classes_that_there_are(api: Api) -> None:
    boss, project = ready(api)
    lease = take(boss, project)[0]["id"]
    for label in (
        {"class": "cow"},
        {"class": 5},
        {},
        {"classes": ["cat"]},
        {"class_id": True},
        {"class": "cat", "x": 1},
    ):
        refused = boss.post("/annotations", json={"lease": lease, "label": label})
        assert refused.status_code == 422, label
    assert "cat, dog" in boss.post("/annotations", json={"lease": lease, "label": {"class": "cow"}}).json()["detail"]
    assert answer(boss, lease).status_code == 201


def test_another_persons_lease_does_not_exist(api: Api) -> None:
    boss, project = ready(api)
    colleague = member(api, boss, project, "colleague")
    lease = take(boss, project)[0]["id"]

    assert answer(colleague, lease).status_code == 404
    assert colleague.delete(f"/leases/{lease}").status_code == 404
    assert colleague.post(f"/leases/{lease}/skip", json={}).status_code == 404


def test_no_count_tells_an_annotator_which_items_judge_the_model(api: Api) -> None:
    boss, project = ready(api, 60, audit_share=0.5, blind_share=0.0, round_size=1_000)
    api.run_jobs()  # an order is published, so that its places can be counted
    ann = member(api, boss, project, "ann")

    def told(speaker: Speaker) -> tuple[Any, Any]:
        found = speaker.get(f"/projects/{project}/status").json()
        return found["audit"]["answers"], found["queue"]["depth"]

    seen = {"ann": [told(ann)], "boss": [told(boss)]}
    kinds = []
    for _ in range(12):
        [lease] = take(ann, project)
        assert answer(ann, lease["id"]).status_code == 201
        seen["ann"].append(told(ann))
        seen["boss"].append(told(boss))
    with api.db.read() as session:
        kinds = list(session.execute(select(Annotation.kind).order_by(Annotation.id)).scalars())

    assert {"audit", "query"} == set(kinds)
    assert len(set(seen["ann"])) == 1
    moved = [after[0] - before[0] for before, after in zip(seen["boss"], seen["boss"][1:], strict=False)]
    assert moved == [int(kind == "audit") for kind in kinds]  # which is what an annotator would have read off


def test_the_audit_share_is_blind_and_held_back_from_the_order(api: Api) -> None:
    boss, project = ready(api, 200, audit_share=0.3, blind_share=0.0)
    api.run_jobs()
    kinds = []
    for _ in range(40):
        lease = take(boss, project)[0]
        kinds.append(lease["reason"]["kind"])
        if kinds[-1] == "audit":
            assert lease["suggestion"] is None
            assert set(lease["reason"]) == {"kind"}
        answer(boss, lease["id"])
    with api.db.read() as session:
        reserved = (
            session.execute(select(Item.reserved).join(Lease, Lease.item_id == Item.id).order_by(Lease.id))
            .scalars()
            .all()
        )
    assert 4 <= kinds.count("audit") <= 22
    assert [kind == "audit" for kind in kinds] == list(reserved)


def test_paused_and_closed_projects_give_nothing_new(api: Api) -> None:
    boss, project = ready(api)
    held = take(boss, project)[0]["id"]
    etag = boss.get(f"/projects/{project}").headers["ETag"]
    assert boss.patch(f"/projects/{project}", json={"state": "closed"}, headers={"If-Match": etag}).status_code == 200

    served = boss.post(f"/projects/{project}/leases", json={"count": 5}).json()
    refused = answer(boss, held)

    assert served["state"] == "closed"
    assert refused.status_code == 409
    assert refused.json()["label"] == {"class": "cat"}
