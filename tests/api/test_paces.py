"""Each person's answers, pace and agreement; others' are for reviewers and managers only."""

import json

from tests.api.test_labelling import answer, member, ready, take
from tests.conftest import Api


def test_each_person_has_counts_and_an_agreement_once_enough_is_compared(api: Api) -> None:
    boss, project = ready(api, 30, audit_share=0)
    ann, ben = member(api, boss, project, "ann"), member(api, boss, project, "ben")
    for number, lease in enumerate(take(ann, project, 20)):
        stored = answer(ann, lease["id"]).json()
        label = {"class": "dog" if number < 5 else "cat"}  # ann said cat
        boss.put(f"/annotations/{stored['id']}", json={"label": label}, headers={"If-Match": '"1"'})
    stored = answer(ben, take(ben, project)[0]["id"]).json()
    boss.put(f"/annotations/{stored['id']}", json={"label": {"class": "cat"}}, headers={"If-Match": '"1"'})

    found = boss.get(f"/projects/{project}/pace").json()["items"]

    assert [(each["user"], each["answers"], each["today"], each["seconds_median"]) for each in found] == [
        ("ann", 20, 20, 2.5), ("ben", 1, 1, 2.5),
    ]  # fmt: skip
    assert [(each["agreement"], each["compared"]) for each in found] == [(0.75, 20), (None, 1)]
    assert [each["user"] for each in ben.get(f"/projects/{project}/pace").json()["items"]] == ["ben"]
    assert api.as_("eve").get(f"/projects/{project}/pace").status_code == 404


def test_agreement_with_colleagues_and_known_labels_has_an_n_and_an_interval(api: Api) -> None:
    boss, project = ready(api, 12, audit_share=0, overlap=3)
    ann, ben, cia = (member(api, boss, project, name) for name in ("ann", "ben", "cia"))
    for number, lease in enumerate(take(ann, project, 12)):
        answer(ann, lease["id"], "cat" if number < 9 else "dog")
    mine = {lease["item"]["key"]: answer(ben, lease["id"], "cat") for lease in take(ben, project, 12)}
    taken_back = take(cia, project, 1)[0]["id"]
    answer(cia, taken_back, "dog")
    cia.delete(f"/leases/{taken_back}/annotation")
    known = [{"key": f"k{n}", "label": "cat", "origin": "import", "annotator": "gold"} for n in range(4)]
    clash = [{"key": "k0", "label": "dog", "origin": "import", "annotator": "another file"}]
    body = "\n".join(json.dumps(row) for row in known + clash)
    sent = boss.post(f"/projects/{project}/annotations", content=body, headers={"Content-Type": "application/x-ndjson"})

    found = {each["user"]: each for each in boss.get(f"/projects/{project}/pace").json()["items"]}

    assert sent.status_code == 200
    assert len(mine) == 12
    assert found["ann"]["colleagues"] == found["ben"]["colleagues"]
    assert (found["ann"]["colleagues"]["value"], found["ann"]["colleagues"]["n"]) == (0.75, 12)
    assert found["ann"]["colleagues"]["low"] < 0.75 < found["ann"]["colleagues"]["high"]
    assert (found["ben"]["known"]["value"], found["ben"]["known"]["n"]) == (1.0, 3)  # two files clash on the fourth
    assert found["ben"]["managers"] is None
    assert "cia" not in found
    assert ben.get(f"/projects/{project}/pace").json()["items"] == [found["ben"]]
