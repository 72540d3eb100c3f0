"""Notes with their replies, and items that three people skipped."""

from tests.api.test_labelling import answer, member, ready, take
from tests.conftest import Api


def test_a_reply_reaches_the_writer_of_the_note_and_nobody_else(api: Api) -> None:
    boss, project = ready(api)
    ann, ben = member(api, boss, project, "ann"), member(api, boss, project, "ben")
    lease = take(ann, project)[0]
    flag = ann.post(f"/items/{lease['item']['id']}/flags", json={"note": "Which one?"}).json()
    before = ann.get(f"/projects/{project}/progress").json()["notes"]

    settled = boss.patch(f"/flags/{flag['id']}", json={"state": "closed", "reply": "The left one."})

    assert settled.status_code == 200, settled.text
    assert [(each["note"], each["state"], each["reply"]) for each in before] == [("Which one?", "open", None)]
    after = ann.get(f"/projects/{project}/progress").json()["notes"]
    assert [(each["key"], each["state"], each["reply"]) for each in after] == [
        (lease["item"]["key"], "closed", "The left one.")
    ]
    assert ben.get(f"/projects/{project}/progress").json()["notes"] == []


def test_what_three_people_skipped_is_listed_and_served_again(api: Api) -> None:
    boss, project = ready(api, 1, audit_share=0)
    people = [member(api, boss, project, name) for name in ("ann", "ben", "eve")]
    for person in people:
        assert boss.get(f"/projects/{project}/items?status=stuck").json()["items"] == []
        person.post(f"/leases/{take(person, project)[0]['id']}/skip", json={"reason": None})
    item = boss.get(f"/projects/{project}/items?status=stuck").json()["items"][0]
    assert boss.get(f"/projects/{project}/status").json()["items"]["stuck"] == 1
    assert take(people[0], project) == []
    assert people[0].post(f"/items/{item['id']}/serve-again").status_code == 403

    again = boss.post(f"/items/{item['id']}/serve-again")

    assert (item["skips"], again.json()["skips"]) == (3, 0)
    assert boss.get(f"/projects/{project}/items?status=stuck").json()["items"] == []
    lease = take(people[0], project)[0]  # also somebody who skipped it
    assert answer(people[0], lease["id"]).status_code == 201
