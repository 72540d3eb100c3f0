"""Taking a manager's word in bulk back: whose answer it is again, word by word, once, beside others who write."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.db import Edit
from app.services import decisions
from tests.api.test_decisions import as_stored_before, details, labels, versions
from tests.api.test_edits import change, take_back
from tests.conftest import Api, Speaker

KEYS = ["k0", "k1", "k2", "k3"]
ALL = {"keys": KEYS, "existing": "override"}
CAT, DOG = {"class": "cat"}, {"class": "dog"}


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def other(api: Api) -> Speaker:
    """A second manager, once there is a project."""
    return api.as_("other")


@pytest.fixture
def project(boss: Speaker, other: Speaker) -> int:
    """Four items for two people each, all of which boss has answered with dog."""
    found: int = boss.project(audit_share=1, overlap=2, round_size=50)["id"]
    boss.post(f"/projects/{found}/members", json={"user": "other", "role": "manager"}).raise_for_status()
    boss.push(found, [{"key": key, "text": f"text {key}"} for key in KEYS])
    assert answer_all(boss, found, "dog") == KEYS
    return found


def answer_all(speaker: Speaker, project: int, name: str) -> list[str]:
    """Answer what is given out; the keys of it, in order."""
    leases = speaker.post(f"/projects/{project}/leases", json={"count": 4}).json()["leases"]
    for lease in leases:
        body = {"lease": lease["id"], "label": {"class": name}, "seconds_spent": 1.0}
        assert speaker.post("/annotations", json=body).status_code == 201
    return sorted(lease["item"]["key"] for lease in leases)


def told(speaker: Speaker, project: int, key: str) -> list[tuple[str, str]]:
    """Who says what of an item."""
    return [(each["annotator"], each["label"]["class"]) for each in details(speaker, project, key)["answers"]]


@pytest.mark.parametrize("stored_before", [False, True])
def test_an_answer_is_its_annotators_again_whoever_undoes(
    api: Api, boss: Speaker, other: Speaker, project: int, stored_before: bool
) -> None:
    """It became the undoer's, whose own answer then replaced it, or agreed with itself as that of two people."""
    token, _ = change(api, boss, project, ALL, label=CAT)
    if stored_before:
        as_stored_before(api)

    assert take_back(api, other, project, token) == {"restored": 4, "left": 0, "left_keys": []}

    assert told(boss, project, "k0") == [("boss", "dog")]
    rows = [{"key": "k0", "label": "cat", "origin": "human", "annotator": "other"}]
    assert other.post(f"/projects/{project}/annotations", json=rows).json()["created"] == 1
    assert answer_all(other, project, "cat") == KEYS[1:]
    for key in KEYS:
        assert told(boss, project, key) == [("boss", "dog"), ("other", "cat")]


def test_a_word_on_an_item_without_an_answer_stays_its_managers(
    api: Api, boss: Speaker, other: Speaker, project: int
) -> None:
    boss.push(project, [{"key": "new", "text": "text"}])
    token, _ = change(api, boss, project, {"keys": ["new"]}, label=CAT)

    take_back(api, other, project, token)

    given = versions(api, "new")
    assert [(each.version, each.retracted) for each in given] == [(1, False), (2, True)]
    assert len({each.annotator_id for each in given}) == 1


def test_what_a_change_stores_says_nothing_of_anybody(api: Api, boss: Speaker, project: int) -> None:
    change(api, boss, project, ALL, label=CAT)

    with api.db.read() as session:
        stored = [(edit.before["label"], edit.after["label"]) for edit in session.query(Edit)]
    assert len(stored) == 4
    assert {name for pair in stored for each in pair for name in each} == {"answer", "version"}


@pytest.mark.parametrize("stored_before", [False, True])
def test_no_undo_brings_back_the_answers_of_somebody_who_was_erased_with_them(
    api: Api, boss: Speaker, other: Speaker, project: int, stored_before: bool
) -> None:
    answer_all(other, project, "dog")
    token, _ = change(api, other, project, {"keys": KEYS[:2], "existing": "override"}, label=CAT, priority=1)
    only, _ = change(api, other, project, {"keys": KEYS[2:], "existing": "override"}, label=CAT)
    if stored_before:
        as_stored_before(api)

    number = other.get("/session").json()["user"]["id"]
    assert boss.delete(f"/users/{number}", params={"answers": True}).status_code == 204

    with api.db.read() as session:
        kept: list[Any] = [(edit.before, edit.after) for edit in session.query(Edit)]
    assert not any("label" in each for pair in kept for each in pair)
    assert boss.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": only}).status_code == 409
    if not stored_before:
        assert take_back(api, boss, project, token) == {"restored": 2, "left": 0, "left_keys": []}
    assert {key: told(boss, project, key) for key in KEYS} == {key: [("boss", "dog")] for key in KEYS}


def test_the_undo_gives_an_answer_back_to_the_nobody_that_an_erased_person_is(
    api: Api, boss: Speaker, other: Speaker, project: int
) -> None:
    answer_all(other, project, "dog")
    token, _ = change(api, other, project, ALL, label=CAT)
    boss.delete(f"/users/{other.get('/session').json()['user']['id']}").raise_for_status()

    assert take_back(api, boss, project, token)["restored"] == 4

    assert labels(boss, project)["k0"] == ("dog", True)
    [_, (name, label)] = told(boss, project, "k0")
    assert (name.startswith("erased-"), label) == (True, "dog")


def test_words_are_taken_back_one_after_the_other(api: Api, boss: Speaker, other: Speaker, project: int) -> None:
    """Of two words the first could not be taken back after the second: the answer's version was no longer its own."""
    boss.push(project, [{"key": "new", "text": "text"}])
    which = {"keys": [*KEYS, "new"], "existing": "override"}
    before = labels(boss, project)
    first, _ = change(api, boss, project, which, label=CAT, priority=1)
    second, _ = change(api, boss, project, which, label=DOG, priority=2)

    assert take_back(api, other, project, second) == {"restored": 5, "left": 0, "left_keys": []}
    assert labels(boss, project) == dict.fromkeys(which["keys"], ("cat", True))
    assert take_back(api, boss, project, first) == {"restored": 5, "left": 0, "left_keys": []}

    assert labels(boss, project) == before
    shown = boss.get(f"/projects/{project}/items?sort=key").json()["items"]
    assert {each["priority"] for each in shown} == {0}
    assert told(boss, project, "k0") == [("boss", "dog")]


def test_what_a_colleague_corrected_between_two_words_is_left(
    api: Api, boss: Speaker, other: Speaker, project: int
) -> None:
    first, _ = change(api, boss, project, ALL, label=CAT)
    second, _ = change(api, boss, project, ALL, label=DOG)
    take_back(api, boss, project, second)
    for key, label in (("k1", DOG), ("k2", CAT)):
        [given] = details(boss, project, key)["answers"]
        headers = {"If-Match": f'"{given["version"]}"'}
        assert other.put(f"/annotations/{given['id']}", json={"label": label}, headers=headers).status_code == 200

    assert take_back(api, boss, project, first) == {"restored": 2, "left": 2, "left_keys": ["k1", "k2"]}
    assert told(boss, project, "k1") == [("other", "dog")]
    assert told(boss, project, "k2") == [("other", "cat")]


def test_an_undo_and_a_correction_at_once_follow_one_another(
    api: Api, boss: Speaker, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL each waited for what the other one held, until one of them was ended as the victim."""
    token, _ = change(api, boss, project, ALL, label=CAT)
    [given] = details(boss, project, "k0")["answers"]
    answers: list[int] = []

    def correct() -> None:
        headers = {"If-Match": f'"{given["version"]}"'}
        answers.append(boss.put(f"/annotations/{given['id']}", json={"label": CAT}, headers=headers).status_code)

    beside = threading.Thread(target=correct)
    look = decisions._answered_since

    def meanwhile(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[int | None]:
        beside.start()
        beside.join(0.5)
        return look(session, rows)

    monkeypatch.setattr(decisions, "_answered_since", meanwhile)
    undone = boss.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": token}).json()["job"]["id"]
    api.worker().run_waiting()
    beside.join()

    job = boss.get(f"/jobs/{undone}").json()
    assert (job["state"], job["reason"], job["result"]["restored"]) == ("done", None, 4)
    assert answers == [412]
    assert told(boss, project, "k0") == [("boss", "dog")]
