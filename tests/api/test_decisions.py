"""A manager's word on items: given to many at once, undone, given to one, taken back; every version stays."""

from typing import Any

import pytest
from sqlalchemy import select

from app.db import Annotation, Edit, Item
from app.services import edits
from tests.api.test_edits import change, take_back
from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(api: Api, boss: Speaker) -> int:
    """Five items, two of which ann has answered with dog."""
    found: int = boss.project(audit_share=0)["id"]
    boss.push(found, [{"key": f"k{n}", "text": f"text {n}"} for n in range(5)])
    ann = api.as_("ann")
    boss.post(f"/projects/{found}/members", json={"user": "ann", "role": "annotator"})
    rows = [{"key": f"k{n}", "label": "dog", "origin": "human", "annotator": "ann"} for n in range(2)]
    assert boss.post(f"/projects/{found}/annotations", json=rows).json()["created"] == 2
    api.run_jobs()
    assert ann.get(f"/projects/{found}/items").status_code == 403
    return found


def labels(speaker: Speaker, project: int) -> dict[str, Any]:
    rows = speaker.get(f"/projects/{project}/items?sort=key").json()["items"]
    return {row["key"]: (row["label"] and row["label"]["class"], row["answered"]) for row in rows}


def details(speaker: Speaker, project: int, key: str) -> Any:
    shown = speaker.get(f"/projects/{project}/items?key={key}").json()["items"][0]
    return speaker.get(f"/items/{shown['id']}").json()


BEFORE = {"k0": ("dog", True), "k1": ("dog", True), "k2": (None, False), "k3": (None, False), "k4": (None, False)}


def test_what_would_override_answers_is_refused_with_their_number(api: Api, boss: Speaker, project: int) -> None:
    body = {"filter": "q=text", "set": {"label": {"class": "cat"}}}

    refused = boss.post(f"/projects/{project}/items/bulk", json=body)

    assert refused.status_code == 409
    assert refused.json()["error"] == "WouldOverride"
    assert (refused.json()["answered"], refused.json()["items"]) == (2, 5)
    api.run_jobs()
    assert labels(boss, project) == BEFORE


@pytest.mark.parametrize(("existing", "changed"), [("keep", 3), ("override", 5)])
def test_many_items_are_labelled_and_it_is_undone(
    api: Api, boss: Speaker, project: int, existing: str, changed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 2)
    which = {"filter": "q=text", "existing": existing}

    token, result = change(api, boss, project, which, label={"class": "cat"}, priority=1)

    assert result == {"changed": 5, "unchanged": 0}
    after = labels(boss, project)
    assert [key for key, (name, _) in after.items() if name == "cat"] == [f"k{n}" for n in range(5 - changed, 5)]
    assert all(answered for _, answered in after.values())
    given = details(boss, project, "k4")["answers"][0]
    assert (given["annotator"], given["origin"], given["kind"], given["version"]) == ("boss", "human", "review", 1)
    status = boss.get(f"/projects/{project}/status").json()
    assert (status["items"]["open"], status["annotations"]) == (0, 2 + changed)

    assert take_back(api, boss, project, token) == {"restored": 5, "left": 0, "left_keys": []}
    assert labels(boss, project) == BEFORE
    history = details(boss, project, "k4")["versions"]
    assert [(each["version"], each["retracted"], each["annotator"]) for each in history] == [
        (2, True, "boss"),
        (1, False, "boss"),
    ]
    served = boss.post(f"/projects/{project}/leases", json={"count": 5}).json()["leases"]
    assert sorted(each["item"]["key"] for each in served) == ["k2", "k3", "k4"]


def test_a_second_word_is_the_next_version_and_its_undo_brings_the_first_back(
    api: Api, boss: Speaker, project: int
) -> None:
    which = {"keys": ["k0", "k3"], "existing": "override"}
    change(api, boss, project, which, label={"class": "cat"})
    _, again = change(api, boss, project, which, label={"class": "cat"})
    assert again == {"changed": 0, "unchanged": 2}

    token, _ = change(api, boss, project, which, label={"class": "dog"})
    assert labels(boss, project)["k3"] == ("dog", True)
    changed = details(boss, project, "k0")
    boss.put(f"/items/{changed['id']}/label", json={"label": {"class": "cat"}})

    assert take_back(api, boss, project, token) == {"restored": 1, "left": 1, "left_keys": ["k0"]}
    assert labels(boss, project)["k3"] == ("cat", True)
    assert [each["version"] for each in details(boss, project, "k3")["versions"]] == [3, 2, 1]


def test_one_item_is_decided_and_the_word_taken_back(api: Api, boss: Speaker, project: int) -> None:
    item = details(boss, project, "k0")["id"]

    decided = boss.put(f"/items/{item}/label", json={"label": {"class": "cat"}}).json()

    assert (decided["label"], decided["votes"], len(decided["answers"])) == ({"class": "cat"}, 1, 2)
    word = decided["answers"][1]
    stale = boss.delete(f"/annotations/{word['id']}", headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert boss.delete(f"/annotations/{word['id']}").status_code == 428
    assert boss.delete(f"/annotations/{word['id']}", headers={"If-Match": '"1"'}).status_code == 200
    assert labels(boss, project)["k0"] == ("dog", True)


def test_a_retracted_answer_frees_its_slot(api: Api, boss: Speaker, project: int) -> None:
    given = details(boss, project, "k0")["answers"][0]

    boss.delete(f"/annotations/{given['id']}", headers={"If-Match": '"1"'})

    assert labels(boss, project)["k0"] == (None, False)
    served = boss.post(f"/projects/{project}/leases", json={"count": 5}).json()["leases"]
    assert "k0" in {each["item"]["key"] for each in served}


def test_only_managers_decide(api: Api, boss: Speaker, project: int) -> None:
    eve, ann = api.as_("eve"), api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "eve", "role": "reviewer"})
    shown = details(boss, project, "k0")
    item, given = shown["id"], shown["answers"][0]["id"]

    for speaker in (eve, ann):
        assert speaker.put(f"/items/{item}/label", json={"label": {"class": "cat"}}).status_code == 403
        body = {"keys": ["k4"], "set": {"label": {"class": "cat"}}}
        assert speaker.post(f"/projects/{project}/items/bulk", json=body).status_code == 403
    assert ann.delete(f"/annotations/{given}", headers={"If-Match": '"1"'}).status_code == 403
    retracted = eve.delete(f"/annotations/{given}", headers={"If-Match": '"1"'})
    assert (retracted.status_code, retracted.json()["kind"]) == (200, None)


@pytest.mark.parametrize("label", [{"class": "bird"}, {"classes": ["cat"]}, {}, {"class": 7}])
def test_a_label_that_does_not_fit_is_refused(api: Api, boss: Speaker, project: int, label: dict[str, Any]) -> None:
    body = {"keys": ["k3"], "set": {"label": label}, "existing": "override"}

    assert boss.post(f"/projects/{project}/items/bulk", json=body).status_code == 422
    assert boss.put(f"/items/{details(boss, project, 'k3')['id']}/label", json={"label": label}).status_code == 422
    assert labels(boss, project) == BEFORE


def test_several_classes_are_given_and_corrected(api: Api, boss: Speaker) -> None:
    project = boss.project(task={"multiple": True}, name="m")["id"]
    boss.push(project, [{"key": "a", "text": "x"}, {"key": "b", "text": "y"}])
    change(api, boss, project, {"keys": ["a", "b"]}, label={"classes": ["cat", "dog"]})
    given = details(boss, project, "a")["answers"][0]

    headers = {"If-Match": '"1"'}
    boss.put(f"/annotations/{given['id']}", json={"label": {"classes": ["dog"]}}, headers=headers)

    assert details(boss, project, "a")["label"] == {"classes": ["dog"]}
    assert details(boss, project, "b")["label"] == {"classes": ["cat", "dog"]}


def test_a_word_on_new_content_is_no_audit_answer(api: Api, boss: Speaker) -> None:
    found, keys, _ = audited(boss)
    replace(boss, found, keys[0])

    change(api, boss, found, {"keys": keys, "existing": "override"}, label={"class": "cat"})

    assert {key: kinds(api, key) for key in keys} == {keys[0]: ["audit", "review"], keys[1]: ["audit", "audit"]}


def test_the_undo_of_a_word_on_new_content_leaves_the_answer_with_the_old_one(api: Api, boss: Speaker) -> None:
    found, keys, _ = audited(boss)
    replace(boss, found, keys[0])
    before = {key: newest(api, key) for key in keys}
    token, _ = change(api, boss, found, {"keys": keys, "existing": "override"}, label={"class": "cat"})

    assert take_back(api, boss, found, token) == {"restored": 2, "left": 0, "left_keys": []}

    assert {key: newest(api, key) for key in keys} == before
    assert before[keys[0]]["item_revision"] == 1
    assert labels(boss, found)[keys[0]] == (None, False)
    assert labels(boss, found)[keys[1]] == ("dog", True)
    leases = boss.post(f"/projects/{found}/leases", json={"count": 4}).json()["leases"]
    assert keys[0] in {each["item"]["key"] for each in leases}


def test_the_undo_of_a_word_on_an_answer_that_was_taken_back_makes_it_one_again(api: Api, boss: Speaker) -> None:
    found, keys, _ = audited(boss)
    given = details(boss, found, keys[0])["answers"][0]
    assert boss.delete(f"/annotations/{given['id']}", headers={"If-Match": '"1"'}).status_code == 200
    before = newest(api, keys[0])
    token, _ = change(api, boss, found, {"keys": keys[:1]}, label={"class": "cat"})

    take_back(api, boss, found, token)

    assert newest(api, keys[0]) == before
    assert (before["kind"], before["retracted"]) == ("audit", True)
    assert labels(boss, found)[keys[0]] == (None, False)


def test_the_undo_of_a_word_knows_that_its_answers_lease_was_answered_again(api: Api, boss: Speaker) -> None:
    """A page that still showed the old content sent its answer once more, after the word was given."""
    found, keys, leases = audited(boss)
    replace(boss, found, keys[0])
    token, _ = change(api, boss, found, {"keys": keys[:1], "existing": "override"}, label={"class": "cat"})
    late = {"lease": leases[0], "label": {"class": "cat"}, "seconds_spent": 1.0}
    assert boss.post("/annotations", json=late).json()["counted"] is False

    assert take_back(api, boss, found, token)["restored"] == 1

    assert boss.delete(f"/leases/{leases[0]}/annotation").status_code == 200
    assert labels(boss, found)[keys[0]] == (None, False)


def test_a_change_that_an_earlier_release_stored_is_undone_as_it_did(api: Api, boss: Speaker) -> None:
    found, keys, _ = audited(boss)
    token, _ = change(api, boss, found, {"keys": keys, "existing": "override"}, label={"class": "cat"})
    as_stored_before(api)

    assert take_back(api, boss, found, token) == {"restored": 2, "left": 0, "left_keys": []}

    assert {labels(boss, found)[key] for key in keys} == {("dog", True)}
    assert {newest(api, key)["kind"] for key in keys} == {"audit"}


def as_stored_before(api: Api) -> None:
    """Put the words of a change as an earlier release stored them: the label as well, and nothing of whose it was."""
    with api.db.write() as session:
        for edit in session.query(Edit):
            for name, label in (("before", {"class": "1"}), ("after", {"class": "0"})):
                more = {"label": label, "decisive": name == "after", "retracted": False, "done": True}
                setattr(edit, name, {"label": getattr(edit, name)["label"] | more})


def audited(boss: Speaker) -> tuple[int, list[str], list[int]]:
    """A project of audit items alone, two of which its manager has answered with dog: their keys and leases."""
    found = boss.project(name="audited", audit_share=1, round_size=20)["id"]
    boss.push(found, [{"key": f"k{n}", "text": f"text {n}"} for n in range(4)])
    leases = boss.post(f"/projects/{found}/leases", json={"count": 2}).json()["leases"]
    for lease in leases:
        body = {"lease": lease["id"], "label": {"class": "dog"}, "seconds_spent": 1.0}
        assert boss.post("/annotations", json=body).status_code == 201
    return found, [lease["item"]["key"] for lease in leases], [lease["id"] for lease in leases]


def replace(boss: Speaker, project: int, key: str) -> None:
    changed = [{"key": key, "text": "something else"}]
    assert boss.post(f"/projects/{project}/items?on_change=replace", json=changed).json()["updated"] == 1


def kinds(api: Api, key: str) -> list[str]:
    return [each.kind for each in versions(api, key)]


def newest(api: Api, key: str) -> dict[str, Any]:
    """The newest version of the first answer to an item, without what makes it a version."""
    first = versions(api, key)[0].answer_id
    last = [each for each in versions(api, key) if each.answer_id == first][-1]
    names = {column.key for column in Annotation.__mapper__.column_attrs} - {"id", "version", "created_at"}
    return {name: getattr(last, name) for name in names - {"request_id"}}


def versions(api: Api, key: str) -> list[Annotation]:
    with api.db.read() as session:
        rows = select(Annotation).join(Item, Item.id == Annotation.item_id).where(Item.key == key)
        return list(session.execute(rows.order_by(Annotation.id)).scalars())
