"""Each person's answers, pace and agreement; others' are for reviewers and managers only."""

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
