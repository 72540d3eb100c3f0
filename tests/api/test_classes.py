"""Classes of a running project: counted, merged, taken apart again; labels keep what was said."""

import json
from collections import Counter

import pytest

from tests.api.test_labelling import answer, member, take
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker

THREE = ["cat", "dog", "hound"]


def lines(speaker: Speaker, project: int, **query: str) -> list[dict]:
    text = speaker.get(f"/projects/{project}/export", params={"format": "jsonl", **query}).text
    return [json.loads(line) for line in text.splitlines()]


def counts(speaker: Speaker, project: int) -> dict[str, int]:
    return {each["name"]: each["answers"] for each in speaker.get(f"/projects/{project}/classes").json()["items"]}


def labelled(api: Api, **given) -> tuple[Speaker, int]:
    """Three items of each class, by import."""
    boss = api.as_("boss")
    project = boss.project(THREE, **given)["id"]
    rows = [{"key": f"{name}-{n}", "text": f"a {name} {n}", "label": name} for name in THREE for n in range(3)]
    boss.push(project, rows)
    return boss, project


def test_a_merged_class_is_read_as_the_other_one_everywhere(api: Api) -> None:
    boss, project = labelled(api)

    merged = boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})

    assert merged.status_code == 200, merged.text
    assert (merged.json()["merged_into"], merged.json()["retired"]) == (2, True)
    assert counts(boss, project) == {"cat": 3, "dog": 6, "hound": 0}
    for view in ("annotations", "items"):
        assert Counter(row["label"]["class"] for row in lines(boss, project, view=view)) == {"cat": 3, "dog": 6}, view
    for name in ("dog", "hound"):
        assert len(boss.get(f"/projects/{project}/items?class={name}").json()["items"]) == 6, name
    shares = {each["class"]["name"]: each["labels"] for each in _balance(boss, project)}
    assert shares == {"cat": 3.0, "dog": 6.0}


def test_undoing_a_merge_gives_every_answer_back(api: Api) -> None:
    boss, project = labelled(api)
    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})

    back = boss.delete(f"/projects/{project}/classes/3/merge")

    assert (back.json()["merged_into"], back.json()["retired"]) == (None, False)
    assert counts(boss, project) == {"cat": 3, "dog": 3, "hound": 3}
    assert boss.delete(f"/projects/{project}/classes/3/merge").status_code == 409


def test_merges_follow_one_another(api: Api) -> None:
    boss, project = labelled(api)
    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})
    boss.post(f"/projects/{project}/classes/2/merge", json={"into": 1})

    assert counts(boss, project) == {"cat": 9, "dog": 0, "hound": 0}

    boss.delete(f"/projects/{project}/classes/2/merge")

    assert counts(boss, project) == {"cat": 3, "dog": 6, "hound": 0}


def test_late_answers_and_old_names_count_for_the_class_in_force(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE, audit_share=0)["id"]
    boss.push(project, pets(20))
    ann = member(api, boss, project, "ann")
    offline, online = take(ann, project, 2)
    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})

    body = {"lease": offline["id"], "label": {"class_id": 3}, "seconds_spent": 1}
    late = ann.post("/annotations", json=body)
    again = ann.post("/annotations", json={**body, "label": {"class": "dog"}})
    named = answer(ann, online["id"], "HOUND")

    assert late.status_code == 201, late.text
    assert late.json()["label"] == named.json()["label"] == {"class": "dog"}
    assert again.json()["id"] == late.json()["id"]  # the same label, said in other words
    assert counts(boss, project) == {"cat": 0, "dog": 2, "hound": 0}
    boss.delete(f"/projects/{project}/classes/3/merge")
    assert counts(boss, project) == {"cat": 0, "dog": 1, "hound": 1}


def test_votes_for_merged_classes_agree(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE, overlap=2, audit_share=0)["id"]
    boss.push(project, [{"key": "a", "text": "one"}])
    for name, said in (("ann", "dog"), ("bob", "hound")):
        person = member(api, boss, project, name)
        answer(person, take(person, project)[0]["id"], said)
    before = lines(boss, project, view="items")[0]

    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})

    after = lines(boss, project, view="items")[0]
    assert (before["label"], before["disputed"], before["agreement"]) == (None, True, 0.0)
    assert (after["label"], after["disputed"], after["agreement"]) == ({"class": "dog"}, False, 1.0)


def test_an_item_with_both_classes_has_one_after_the_merge(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE, task={"multiple": True})["id"]
    boss.push(project, [{"key": "a", "text": "one", "label": ["dog", "hound"]}, {"key": "b", "text": "two"}])

    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})

    assert lines(boss, project)[0]["label"] == {"classes": ["dog"]}
    assert counts(boss, project) == {"cat": 0, "dog": 1, "hound": 0}
    assert [each["key"] for each in boss.get(f"/projects/{project}/items?class=dog").json()["items"]] == ["a"]


def test_importing_an_export_again_after_a_merge_changes_nothing(api: Api) -> None:
    boss, project = labelled(api)
    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})
    rows = [{"key": row["key"], "label": row["label"]} for row in lines(boss, project, view="items")]

    report = boss.push(project, rows)

    assert (report["updated"], report["unchanged"]) == (0, 9)


def test_a_merge_and_a_new_class_make_a_round_due(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE, audit_share=0.3)["id"]
    boss.push(project, pets(60))
    boss.push(project, [{"key": row["key"], "label": row["key"][:3]} for row in pets(60)[:30]])
    boss.push(project, [{"key": row["key"], "label": "hound"} for row in pets(60)[:8]])
    api.run_jobs()
    rounds = f"/projects/{project}/rounds"
    before = boss.get(rounds).json()["items"][0]["number"]

    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})
    suggested = {row["suggestion"]["label"]["class"] for row in take(boss, project, 20) if row["suggestion"]}
    api.run_jobs()
    merged = boss.get(f"{rounds}/{before + 1}").json()
    boss.post(f"/projects/{project}/classes", json={"name": "owl"})
    api.run_jobs()
    grown = boss.get(f"{rounds}/{before + 2}").json()

    assert suggested == {"cat", "dog"}  # the order of before the merge is served still
    assert (merged["state"], merged["classes"]) == ("done", [1, 2])
    assert (grown["state"], grown["classes"]) == ("done", [1, 2, 4])


@pytest.mark.parametrize(
    ("number", "into", "status"), [(3, 3, 422), (3, 9, 404), (9, 1, 404), (1, 2, 200), (1, 3, 409), (2, 1, 409)]
)
def test_what_cannot_be_merged_is_refused(api: Api, number: int, into: int, status: int) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE)["id"]
    boss.post(f"/projects/{project}/classes/1/merge", json={"into": 2})

    refused = boss.post(f"/projects/{project}/classes/{number}/merge", json={"into": into})

    assert refused.status_code == status, refused.text
    assert boss.get(f"/projects/{project}").json()["classes"][2]["merged_into"] is None


def test_a_merged_class_is_neither_offered_nor_brought_back_nor_its_target_deleted(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE)["id"]
    classes = f"/projects/{project}/classes"
    boss.post(f"{classes}/3/merge", json={"into": 2})

    assert boss.patch(f"{classes}/3", json={"retired": False}).status_code == 409
    assert boss.delete(f"{classes}/2").status_code == 409
    boss.patch(f"{classes}/1", json={"hotkey": "3"})
    assert boss.delete(f"{classes}/3/merge").json()["hotkey"] is None  # its key is another class's by now


def test_only_managers_merge_and_only_reviewers_count(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE)["id"]
    ann, rev = member(api, boss, project, "ann"), member(api, boss, project, "rev", "reviewer")

    assert ann.get(f"/projects/{project}/classes").status_code == 403
    assert rev.get(f"/projects/{project}/classes").status_code == 200
    assert rev.post(f"/projects/{project}/classes/3/merge", json={"into": 2}).status_code == 403
    assert rev.delete(f"/projects/{project}/classes/3/merge").status_code == 403


def _balance(speaker: Speaker, project: int) -> list[dict]:
    found: list[dict] = speaker.get(f"/projects/{project}/overview").json()["balance"]
    return found


def test_after_a_new_class_the_items_nearest_to_its_first_labels_are_named(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(["animal", "vehicle"], audit_share=0)["id"]
    animals = [f"the {beast} sleeps in the barn" for beast in ("cow", "horse", "sheep", "goat")]
    boats = [f"the ship sails the sea with {n} sailors" for n in ("two", "three", "four", "five")]
    cars = [f"the car drives down the motorway in gear {n}" for n in ("two", "three", "four", "five")]
    rows = [{"key": f"animal-{n}", "text": text, "label": "animal"} for n, text in enumerate(animals)]
    rows += [{"key": f"boat-{n}", "text": text, "label": "vehicle"} for n, text in enumerate(boats)]
    rows += [{"key": f"car-{n}", "text": text, "label": "vehicle"} for n, text in enumerate(cars)]
    boss.push(project, rows)
    api.run_jobs()
    number = boss.post(f"/projects/{project}/classes", json={"name": "boat"}).json()["id"]
    where = f"/projects/{project}/classes/{number}/affected"
    assert boss.get(where).json() == {
        "by": None, "items": [], "words": "No item is boat yet: give it to a few, then ask again.",
    }  # fmt: skip
    boss.push(project, [{"key": "boat-0", "label": "boat"}])

    found = boss.get(where, params={"limit": 3}).json()

    assert found["by"] == "similarity"
    assert {each["key"] for each in found["items"]} == {"boat-1", "boat-2", "boat-3"}


def test_after_a_merge_the_answers_that_the_model_doubts_come_first(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(THREE, audit_share=0)["id"]
    rows = [{**row, "label": row["key"][:3]} for row in pets(60)]
    rows[0]["label"] = "hound"  # it is a cat
    boss.push(project, rows)
    api.run_jobs()
    boss.post(f"/projects/{project}/classes/3/merge", json={"into": 2})
    api.run_jobs()

    found = boss.get(f"/projects/{project}/classes/2/affected").json()

    assert found["by"] == "probability"
    assert found["items"][0]["key"] == "cat-0"
    assert found["items"][0]["probability"] < found["items"][1]["probability"]
    assert "merged" in boss.get(f"/projects/{project}/classes/3/affected").json()["words"]
    assert boss.get(f"/projects/{project}/classes/9/affected").status_code == 404
    assert member(api, boss, project, "ann").get(f"/projects/{project}/classes/2/affected").status_code == 403
