"""Audit items that a manager asks for now: the next ones that are served, in the audit order, and nobody can tell."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from app.db import Event, Item, Lease, Project
from tests.api.test_labelling import answer, end_leases, member, ready, take
from tests.conftest import Api, Speaker

pytestmark = pytest.mark.both


def ask(speaker: Speaker, project: int, count: int | None = None, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    body = {} if count is None else {"count": count}
    return speaker.post(f"/projects/{project}/audit-request", json=body, headers=headers)


def standing(speaker: Speaker, project: int) -> dict[str, Any]:
    found: dict[str, Any] = speaker.get(f"/projects/{project}/audit-request").json()
    return found


def kinds(api: Api) -> list[str]:
    with api.db.read() as session:
        return list(session.execute(select(Lease.kind).order_by(Lease.id)).scalars())


def audit_order(api: Api) -> list[int]:
    with api.db.read() as session:
        return list(session.execute(select(Item.id).where(Item.reserved).order_by(Item.draw)).scalars())


def test_the_next_items_are_the_head_of_the_audit_order_and_then_the_share_goes_on(api: Api) -> None:
    boss, project = ready(api, 200, audit_share=0.3)
    before = [each["item"]["id"] for each in take(boss, project, 10)]
    for each in take(boss, project, 10):
        answer(boss, each["id"])
    order = [each for each in audit_order(api) if each not in before]

    asked = ask(boss, project, 12)
    given = []
    for _ in range(5):
        leases = take(boss, project, 5)
        given += [each["item"]["id"] for each in leases]
        for each in leases:
            answer(boss, each["id"])

    assert asked.status_code == 201
    assert asked.json()["request"] == {"count": 12, "left": 12, "in_hands": 0}
    assert asked.json()["words"] == "12 of 12 audit items left"
    assert given[:12] == order[:12]
    assert kinds(api)[10:22] == ["audit"] * 12
    assert kinds(api)[22:].count("query") + kinds(api)[22:].count("random") > 0
    assert standing(boss, project)["request"] is None


def test_the_share_of_the_slots_behind_a_request_is_drawn_as_if_there_had_been_none(api: Api) -> None:
    boss, project = ready(api, 100, audit_share=0.3)
    other = boss.project(audit_share=0.3, name="Twin", slug="twin")["id"]  # of the same seed
    boss.push(other, [{"key": f"k{n}", "text": f"text number {n} of the pile {n * 7}"} for n in range(100)])
    api.run_jobs()
    ask(boss, project, 7)

    take(boss, project, 40)
    take(boss, other, 40)

    asked = kinds(api)[:40]
    plain = kinds(api)[40:]
    assert asked[:7] == ["audit"] * 7
    assert plain[:7] != ["audit"] * 7
    assert asked[7:] == plain[7:]


def test_it_says_how_many_are_left_and_asks_again_for_what_was_skipped_or_ran_out(api: Api) -> None:
    boss, project = ready(api, 200, audit_share=0.3, blind_share=0)
    assert ask(boss, project).json()["request"]["count"] == 40
    first = take(boss, project, 10)
    for each in first[:4]:
        answer(boss, each["id"])
    boss.post(f"/leases/{first[4]['id']}/skip", json={})

    held = standing(boss, project)
    end_leases(api)
    boss.delete(f"/leases/{first[0]['id']}/annotation")  # taken back: its lease is live again
    back = standing(boss, project)

    assert held["request"] == {"count": 40, "left": 36, "in_hands": 5}
    assert held["words"] == "36 of 40 audit items left"
    assert back["request"]["left"] == 37
    left = 0
    while (more := take(boss, project, 10)) and standing(boss, project)["request"] is not None:
        for each in more:
            if standing(boss, project)["request"] is None:
                break
            answer(boss, each["id"])
            left += 1
    assert left == 37
    assert len(set(kinds(api)[: 10 + 37])) == 1


def test_annotators_cannot_tell_an_asked_for_item_from_others_and_may_not_look(api: Api) -> None:
    boss, project = ready(api, 200, audit_share=0.3)
    ann, rev = member(api, boss, project, "ann"), member(api, boss, project, "rev", "reviewer")
    ordinary = take(ann, project, 3)
    for each in ordinary:
        answer(ann, each["id"])
    ask(boss, project, 5)

    asked = take(ann, project, 3)

    assert [set(each) for each in asked] == [set(ordinary[0])] * 3
    for each in asked:
        assert (each.get("suggestion"), each.get("reason"), each.get("kind")) == (None, None, None)
    for speaker in (ann, rev):
        assert speaker.get(f"/projects/{project}/audit-request").status_code == 403
        assert ask(speaker, project, 5).status_code == 403
        assert speaker.delete(f"/projects/{project}/audit-request").status_code == 403
    assert "audit_request" not in ann.get(f"/projects/{project}/status").text
    assert rev.get(f"/projects/{project}/overview").json()["audit_request"] is None
    assert boss.get(f"/projects/{project}/overview").json()["audit_request"]["request"]["left"] == 5


def test_who_labels_a_slice_goes_on_with_the_share_and_the_request_waits_for_the_others(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.3)["id"]
    rows = [{"key": f"k{n}", "text": f"text {n} {n * 7}", "metadata": {"part": n % 2}} for n in range(200)]
    boss.push(project, rows)
    ann = api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "annotator", "slice": "metadata.part=1"})
    ask(boss, project, 10)

    for each in take(ann, project, 10):
        answer(ann, each["id"])
    sliced = kinds(api)
    order = audit_order(api)
    with api.db.read() as session:
        gone = set(session.execute(select(Lease.item_id)).scalars())
    whole = [each["item"]["id"] for each in take(boss, project, 10 - sliced.count("audit"))]

    assert sliced.count("audit") < 10
    assert whole == [each for each in order if each not in gone][: len(whole)]


def test_no_item_is_given_twice_and_no_more_than_were_asked_for_when_many_take_at_once(api: Api) -> None:
    boss, project = ready(api, 300, audit_share=0.5)
    people = [member(api, boss, project, f"annotator {number}") for number in range(4)]
    with api.db.write() as session:  # behind a request the share gives none: what is counted is what was asked for
        session.execute(update(Project).values(audit_share=0.0))
    assert ask(boss, project, 30).status_code == 201
    given: list[int] = []
    lock = threading.Lock()

    def work(speaker: Speaker) -> None:
        for _ in range(5):
            leases = take(speaker, project, 3)
            for each in leases:
                assert answer(speaker, each["id"]).status_code == 201
            with lock:
                given.extend(each["item"]["id"] for each in leases)

    threads = [threading.Thread(target=work, args=(each,)) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(given) == len(set(given)) == 60
    assert kinds(api).count("audit") == 30
    assert set(given) >= set(audit_order(api)[:30])
    assert standing(boss, project)["request"] is None


def test_a_repeated_request_asks_once_and_a_second_one_is_refused_until_it_is_cancelled(api: Api) -> None:
    boss, project = ready(api, 200, audit_share=0.3)
    key = str(uuid4())

    first, again = ask(boss, project, 12, key), ask(boss, project, 12, key)
    other = ask(boss, project, 3)
    take(boss, project, 2)
    gone = [boss.delete(f"/projects/{project}/audit-request").status_code for _ in range(2)]

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert other.status_code == 409
    assert other.json()["detail"] == "there is a request already, 12 of 12 audit items left: cancel that first"
    assert gone == [204, 204]
    assert standing(boss, project)["request"] is None
    with api.db.read() as session:
        lines = session.execute(select(Event).where(Event.action.like("audit.%")).order_by(Event.id)).scalars().all()
    assert [(each.action, each.detail) for each in lines] == [
        ("audit.asked", {"count": 12}),
        ("audit.cancelled", {"count": 12, "left": 12}),
    ]
    assert ask(boss, project, 3).status_code == 201


@pytest.mark.parametrize("count", [0, -1, 1001, 2**70, 1.0, "7", True, None])
def test_a_number_out_of_range_is_refused_and_nothing_is_asked_for(api: Api, count: Any) -> None:
    boss, project = ready(api, 30, audit_share=0.3)

    refused = boss.post(f"/projects/{project}/audit-request", json={"count": count})

    assert refused.status_code == 422
    assert standing(boss, project)["request"] is None


def test_more_than_are_open_is_refused_with_their_number(api: Api) -> None:
    boss, project = ready(api, 30, audit_share=0.3)
    there = len(audit_order(api))

    refused = ask(boss, project, there + 1)

    assert refused.status_code == 422
    assert refused.json()["detail"] == f"{there} audit items are open: ask for no more"
    assert ask(boss, project, there).status_code == 201


def test_a_project_without_an_open_audit_item_says_why(api: Api) -> None:
    boss, project = ready(api, 10, audit_share=0)

    none = ask(boss, project)
    with api.db.write() as session:
        session.execute(update(Item).values(reserved=True))
        session.execute(update(Project).values(audit_share=0.3))
    take(boss, project, 10)
    held = ask(boss, project)

    assert (none.status_code, held.status_code) == (409, 409)
    assert none.json()["detail"].endswith("the audit share is 0, so that none of the items that come in is one")
    assert held.json()["detail"] == "no audit item is open: all of them are answered or in people's hands"


def test_a_project_without_any_audit_item_is_not_said_to_have_them_answered(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.3)["id"]
    empty = ask(boss, project)
    boss.push(project, [{"key": "a", "text": "a text"}])
    with api.db.write() as session:
        session.execute(update(Item).values(reserved=False))

    drawn = ask(boss, project)

    assert (empty.status_code, drawn.status_code) == (409, 409)
    assert empty.json()["detail"] == drawn.json()["detail"] == "no audit item is open: the project has none yet"


@pytest.mark.parametrize("state", ["paused", "closed", "archived"])
def test_a_project_that_is_not_open_refuses_and_keeps_what_was_asked_for(api: Api, state: str) -> None:
    boss, project = ready(api, 60, audit_share=0.3)
    assert ask(boss, project, 5).status_code == 201
    with api.db.write() as session:
        session.execute(update(Project).values(state=state))

    refused = ask(boss, project, 5)

    assert refused.status_code == 409
    assert refused.json()["detail"] == f"the project is {state}: open it first"
    assert standing(boss, project)["words"] == f"5 of 5 audit items left; the project is {state}"


def test_a_request_that_finds_no_more_items_says_so(api: Api) -> None:
    boss, project = ready(api, 60, audit_share=0.3)
    there = len(audit_order(api))
    ask(boss, project, there)
    with api.db.write() as session:
        session.execute(update(Item).where(Item.reserved).values(state="excluded"))

    assert standing(boss, project)["words"] == f"{there} of {there} audit items left; no audit item is open any more"
    assert len(take(boss, project, 5)) == 5
    assert "audit" not in kinds(api)
