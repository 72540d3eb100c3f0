"""Audit items that were given out in vain: counted, told with what they may do to the accuracy, and never hidden."""

from typing import Any

import pytest
from sqlalchemy import text, update

from app.db import Item
from app.services import status, unanswered
from app.services.sentences import unanswered_words
from tests.api.test_labelling import answer, end_leases, member, ready, take
from tests.api.test_loop import pets
from tests.api.test_overview import answer as say
from tests.conftest import Api, Speaker


def counts(api: Api, project: int) -> dict[str, int]:
    with api.db.read() as session:
        return unanswered.of_project(session, project).to_json()


def test_each_audit_item_that_was_given_out_counts_once_by_what_became_of_it(api: Api) -> None:
    boss, project = ready(api, 20, overlap=1)
    with api.db.write() as session:
        session.execute(update(Item).values(reserved=True))
    ann = member(api, boss, project, "ann")
    first = take(boss, project, 8)
    for each in first[:3]:
        answer(boss, each["id"])
    boss.post(f"/leases/{first[3]['id']}/skip", json={})
    boss.post(f"/leases/{first[4]['id']}/skip", json={})
    boss.delete(f"/leases/{first[5]['id']}")
    begun = counts(api, project)
    end_leases(api)
    again = take(ann, project, 1)[0]  # what boss skipped first is the first in the order still
    late = counts(api, project)
    answer(ann, again["id"])
    stored = boss.get(f"/projects/{project}/annotations").json()["items"][0]
    boss.delete(f"/annotations/{stored['id']}", headers={"If-Match": f'"{stored["version"]}"'})
    taken_back = counts(api, project)
    with api.db.write() as session:
        session.execute(update(Item).where(Item.id == first[5]["item"]["id"]).values(state="excluded"))

    assert begun == {"given": 8, "unanswered": 5, "skipped": 2, "in_hands": 2}
    assert late == {"given": 8, "unanswered": 5, "skipped": 1, "in_hands": 1}
    assert taken_back == {"given": 8, "unanswered": 5, "skipped": 1, "in_hands": 0}
    assert counts(api, project)["given"] == 7


def test_a_selection_that_nobody_answered_counts_and_one_that_came_back_is_answered(api: Api) -> None:
    boss, project = ready(api, 20)
    with api.db.write() as session:
        session.execute(update(Item).values(reserved=True))
    chosen = boss.post(f"/projects/{project}/select", json={"count": 6}).json()["items"]

    before = counts(api, project)
    rows = [
        {"key": each["key"], "label": "cat", "origin": "human", "annotator": "boss", "seconds_spent": 1}
        for each in chosen[:2]
    ]
    pushed = boss.post(f"/projects/{project}/annotations", json=rows)

    assert pushed.status_code == 200, pushed.text
    assert before == {"given": 6, "unanswered": 6, "skipped": 0, "in_hands": 0}
    assert counts(api, project) == {"given": 6, "unanswered": 4, "skipped": 0, "in_hands": 0}


def test_answers_to_content_that_was_replaced_count_no_more(api: Api) -> None:
    boss, project = ready(api, 8)
    with api.db.write() as session:
        session.execute(update(Item).values(reserved=True))
    leases = take(boss, project, 5)
    for each in leases[:3]:
        assert answer(boss, each["id"]).status_code == 201
    boss.post(f"/leases/{leases[3]['id']}/skip", json={})
    stored = boss.get(f"/projects/{project}/annotations").json()["items"]
    change(boss, stored[0])
    before, first = counts(api, project), standing(boss, project)

    keys = [each["item"]["key"] for each in leases]
    replaced = [{"key": keys[at], "text": f"something else {at}"} for at in (0, 1, 3, 4)]
    assert boss.push(project, replaced, on_change="replace")["updated"] == 4
    after, second = counts(api, project), standing(boss, project)
    end_leases(api)
    found = take(boss, project, 5)
    again = next(each for each in found if each["item"]["key"] == keys[0])
    assert answer(boss, again["id"]).status_code == 201

    assert before == {"given": 5, "unanswered": 2, "skipped": 1, "in_hands": 1}
    assert first == (3, 3, 3)
    assert after == {"given": 1, "unanswered": 0, "skipped": 0, "in_hands": 0}
    assert second == (1, 1, 1)
    assert standing(boss, project) == (2, 2, 2)
    assert counts(api, project)["given"] - counts(api, project)["unanswered"] == 2


def change(boss: Speaker, stored: dict[str, Any]) -> None:
    headers = {"If-Match": f'"{stored["version"]}"'}
    changed = boss.put(f"/annotations/{stored['id']}", json={"label": {"class": "dog"}}, headers=headers)
    assert changed.status_code == 200, changed.text


def standing(boss: Speaker, project: int) -> tuple[int, int, int]:
    found = boss.get(f"/projects/{project}/status").json()
    return found["annotations"], found["answers"], found["audit"]["answers"]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_the_items_that_were_replaced_are_found_by_an_index(api: Api) -> None:
    """A walk over a million items would take longer than the whole overview may."""
    with api.db.read() as session:
        plan = session.execute(text(f"EXPLAIN QUERY PLAN {status.STANDING}"), {"project": 1}).all()

    assert [each.detail for each in plan if " items " in each.detail] == [
        "SEARCH items USING INDEX ix_items_revised (project_id=?)"
    ]


def test_a_round_keeps_the_count_and_the_overview_tells_what_it_may_do_to_the_accuracy(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5)["id"]
    boss.push(project, pets(120))
    api.run_jobs()
    for each in boss.post(f"/projects/{project}/leases", json={"count": 6}).json()["leases"]:
        boss.post(f"/leases/{each['id']}/skip", json={})
    say(boss, project, 40)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()
    [newest] = boss.get(f"/projects/{project}/rounds", params={"limit": 1}).json()["items"]

    kept = newest["metrics"]["unanswered"]
    assert kept == found["unanswered"] == counts(api, project)
    assert kept["skipped"] > 0
    assert found["words"]["unanswered"].startswith(
        f"{kept['skipped']} of {kept['given']} audit items that were given out ha"
    )


def test_the_sentence_gives_both_ends_and_nothing_where_all_are_answered_or_in_hands() -> None:
    accuracy = {"value": 0.9, "n": 40, "low": 0.7, "high": 0.97}
    lost = {"given": 52, "unanswered": 12, "skipped": 7, "in_hands": 2}

    words = unanswered.words(lost, accuracy)

    assert words == (
        "10 of 52 audit items that were given out have no answer: 7 skipped and 3 given back, run out or taken back. "
        "2 more are in people's hands. What people skip is seldom skipped by chance: with all of them wrong the "
        "accuracy would be 72 %, with all of them right 92 %."
    )
    one = unanswered.words({"given": 9, "unanswered": 1, "skipped": 1, "in_hands": 0}, None)
    assert one == "1 of 9 audit items that were given out has no answer: 1 skipped."
    assert unanswered.words({"given": 9, "unanswered": 3, "skipped": 0, "in_hands": 3}, accuracy) is None
    assert unanswered.words(None, accuracy) is None
    assert unanswered_words(None) is None
