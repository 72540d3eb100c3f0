"""The feed of answers: each change once, in commit order, whoever writes at the same time and whenever it is asked."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from app.db import Annotation, Database, WriteSession
from app.services import feed
from tests.api.test_bulk import push
from tests.api.test_labelling import answer, member, ready, take
from tests.conftest import Api, Speaker

pytestmark = pytest.mark.both


def changes(speaker: Speaker, project: int, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(speaker, project, **query)["items"]
    return found


def asked(speaker: Speaker, project: int, **query: Any) -> dict[str, Any]:
    reply = speaker.get(f"/projects/{project}/annotations", params=query)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def copy_of_first(session: WriteSession) -> int:
    """Store another answer, as any writer would; its id."""
    first = session.execute(select(Annotation).order_by(Annotation.id).limit(1)).scalar_one()
    columns = [each.key for each in Annotation.__mapper__.column_attrs if each.key not in ("id", "request_id")]
    values = {name: getattr(first, name) for name in columns} | {"answer_id": uuid4()}
    return session.execute(insert(Annotation).values(**values).returning(Annotation.id)).scalar_one()


def test_an_answer_a_correction_and_a_retraction_follow_each_other(api: Api) -> None:
    boss, project = ready(api, 3)
    lease = take(boss, project)[0]
    first = answer(boss, lease["id"], "cat").json()
    boss.put(f"/annotations/{first['id']}", json={"label": {"class": "dog"}}, headers={"If-Match": '"1"'})
    boss.delete(f"/leases/{lease['id']}/annotation")

    found = changes(boss, project)

    assert [(each["action"], each["label"]["class"]) for each in found] == [
        ("created", "cat"),
        ("replaced", "dog"),
        ("retracted", "dog"),
    ]
    assert len({each["answer"] for each in found}) == 1
    assert [each["seq"] for each in found] == sorted(each["seq"] for each in found)
    assert found[0]["key"] == lease["item"]["key"]
    assert (found[0]["annotator"], found[0]["seconds_spent"]) == ("boss", 2.5)


def test_pages_meet_without_a_gap_or_a_double(api: Api) -> None:
    boss, project = ready(api, 7)
    stored = [answer(boss, each["id"]).json()["id"] for each in take(boss, project, 7)]
    seen, after = [], 0
    while page := asked(boss, project, after=after, limit=3):
        assert page["items"] == [] or page["next"] >= page["items"][-1]["seq"]
        after = page["next"]
        if not page["items"]:
            break
        seen += [each["seq"] for each in page["items"]]

    assert seen == stored
    assert asked(boss, project, after=after)["next"] == after


def test_another_projects_answers_move_the_place_and_are_not_shown(api: Api) -> None:
    boss, project = ready(api, 2)
    other = boss.project(name="Other")["id"]
    boss.push(other, [{"key": "a", "text": "one"}])
    mine = answer(boss, take(boss, project)[0]["id"]).json()["id"]
    theirs = answer(boss, take(boss, other)[0]["id"]).json()["id"]

    page = asked(boss, project)

    assert [each["seq"] for each in page["items"]] == [mine]
    assert page["next"] == theirs


def test_changes_of_one_annotator_or_one_class(api: Api) -> None:
    boss, project = ready(api, 4)
    ann = member(api, boss, project, "Ann")
    mine = answer(boss, take(boss, project)[0]["id"], "cat").json()
    hers = answer(ann, take(ann, project)[0]["id"], "dog").json()
    push(boss, project, [{"key": "k3", "label": "dog", "origin": "import", "annotator": "paper"}])
    moved = {"If-Match": '"1"'}
    boss.put(f"/annotations/{mine['id']}", json={"label": {"class": "dog"}}, headers=moved)

    assert [each["id"] for each in changes(boss, project, annotator="ANN")] == [hers["id"]]
    assert [each["key"] for each in changes(boss, project, annotator="paper")] == ["k3"]
    cats = changes(boss, project, **{"class": "cat"})
    assert [(each["action"], each["label"]["class"]) for each in cats] == [("created", "cat"), ("replaced", "dog")]
    assert len(changes(boss, project, **{"class": "dog"})) == 3


def test_what_cannot_be_asked_for_is_refused_by_name(api: Api) -> None:
    boss, project = ready(api, 2)
    answer(boss, take(boss, project)[0]["id"])

    def refused(**query: Any) -> tuple[int, list[str]]:
        reply = boss.get(f"/projects/{project}/annotations", params=query)
        return reply.status_code, list(reply.json()["fields"])

    assert refused(annotator="nobody") == (422, ["annotator"])
    assert refused(**{"class": "bird"}) == (422, ["class"])
    assert refused(after=10**12) == (422, ["after"])
    assert refused(after=-1) == (422, ["after"])
    assert refused(limit=201) == (422, ["limit"])
    assert refused(wait=31) == (422, ["wait"])
    assert refused(cursor="x") == (422, ["cursor"])


def test_reviewers_read_it_without_kinds_and_annotators_do_not(api: Api) -> None:
    boss, project = ready(api, 2)
    answer(boss, take(boss, project)[0]["id"])
    path = f"/projects/{project}/annotations"
    reviewer = member(api, boss, project, "Rita", "reviewer")

    assert changes(boss, project)[0]["kind"] is not None
    assert changes(reviewer, project)[0]["kind"] is None
    assert len(changes(api.as_("boss", scopes=("read",)), project)) == 1
    assert member(api, boss, project, "Ann").get(path).status_code == 403
    assert api.as_("stranger").get(path).status_code == 404
    assert api.as_("boss", scopes=("label",)).get(path).status_code == 403


def test_a_reader_who_waits_hears_of_an_answer_at_once(api: Api) -> None:
    boss, project = ready(api, 2)
    lease = take(boss, project)[0]["id"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: (asked(boss, project, wait=20), time.monotonic()))
        time.sleep(0.5)
        assert not waiting.done()

        answer(boss, lease)
        sent = time.monotonic()
        page, heard = waiting.result(timeout=20)

    assert [each["action"] for each in page["items"]] == ["created"]
    assert heard - sent < 5


def test_a_wait_ends_with_an_empty_page(api: Api) -> None:
    boss, project = ready(api, 2)
    began = time.monotonic()

    page = asked(boss, project, wait=0.6)

    assert page == {"items": [], "next": 0}
    assert 0.6 <= time.monotonic() - began < 5


def test_many_waiting_readers_hold_neither_connections_nor_threads(api: Api) -> None:
    boss, project = ready(api, 2)
    with ThreadPoolExecutor(60) as pool:  # more than there are connections and threads
        waiting = [pool.submit(asked, boss, project, wait=4) for _ in range(60)]
        time.sleep(1)
        began = time.monotonic()
        leased = take(boss, project)
        took = time.monotonic() - began
        answer(boss, leased[0]["id"])
        pages = [each.result(timeout=30) for each in waiting]

    assert took < 2
    assert all(len(page["items"]) == 1 for page in pages)


def test_a_row_whose_commit_comes_late_is_waited_for_and_never_skipped(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two transactions insert; the one with the higher id commits first, and the feed is read in between."""
    boss, project = ready(api, 2)
    first = answer(boss, take(boss, project)[0]["id"]).json()["id"]
    if api.db.is_sqlite:
        with api.db.write() as session:
            copy_of_first(session)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                _begin_beside(api.db)
        return  # the second one could not even begin: there is nothing to interleave
    monkeypatch.setattr(feed, "PATIENCE_SECONDS", 0.3)
    with api.db.write() as late:
        low = copy_of_first(late)
        with api.db.write() as early:
            high = copy_of_first(early)
        assert low < high

        between = asked(boss, project)
        assert [each["seq"] for each in between["items"]] == []  # this process has found nothing settled so far
        with ThreadPoolExecutor(1) as pool:
            monkeypatch.setattr(feed, "PATIENCE_SECONDS", 20.0)
            waiting = pool.submit(asked, boss, project, after=first)
            time.sleep(0.3)
            assert not waiting.done()
            late.commit()
            assert [each["seq"] for each in waiting.result(timeout=20)["items"]] == [low, high]

    assert [each["seq"] for each in changes(boss, project)] == [first, low, high]


def test_what_was_settled_before_is_served_while_a_writer_hangs(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    boss, project = ready(api, 2)
    first = answer(boss, take(boss, project)[0]["id"]).json()["id"]
    assert len(changes(boss, project)) == 1
    monkeypatch.setattr(feed, "PATIENCE_SECONDS", 0.2)

    with api.db.write() as hangs:
        copy_of_first(hangs)
        assert [each["seq"] for each in changes(boss, project)] == [first]
        assert asked(boss, project, after=first)["next"] == first


def test_every_answer_comes_once_and_in_order_while_many_write(api: Api) -> None:
    boss, project = ready(api, 2)
    answer(boss, take(boss, project)[0]["id"])
    ends = threading.Event()
    seen: list[int] = []

    def write() -> list[int]:
        stored = []
        for number in range(15):
            with api.db.write() as session:
                stored.append(copy_of_first(session))
                if number % 3 == 0 and not api.db.is_sqlite:
                    time.sleep(0.01)  # between the id and the commit
        return stored

    def read() -> None:
        while True:
            last = ends.is_set()
            page = changes(boss, project, after=seen[-1] if seen else 0)
            seen.extend(each["seq"] for each in page)
            if last and not page:
                return

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        stored = [number for writer in [pool.submit(write) for _ in range(4)] for number in writer.result(timeout=60)]
        ends.set()
        reader.result(timeout=60)

    assert seen == sorted({*stored, seen[0]})


def _begin_beside(db: Database) -> None:
    """Begin to write as another process would, without waiting."""
    with closing(sqlite3.connect(str(db.url.database), timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
