"""Wrong answers are named, found with the class that the model takes them for, and gone from the list once mended."""

from tests.api.test_figures import listed
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker

WRONG = ("cat-10", "cat-24", "dog-31", "dog-55")


def keys(speaker: Speaker, project: int, filter_: str) -> list[str]:
    found = speaker.get(f"/projects/{project}/items?{filter_}&limit=200").json()["items"]
    return [each["key"] for each in found]


def taught(api: Api, boss: Speaker) -> int:
    """A project of 180 labelled pets, four of them wrong, and its first round; some more are not labelled."""
    project: int = boss.project()["id"]
    rows = pets(200)
    for row in rows[:180]:
        right = row["key"][:3]
        row["label"] = {"class": {"cat": "dog", "dog": "cat"}[right] if row["key"] in WRONG else right}
    boss.push(project, rows)
    api.run_jobs()
    return project


def test_wrong_answers_are_named_until_they_are_mended_or_confirmed(api: Api) -> None:
    boss = api.as_("boss")
    project = taught(api, boss)

    assert set(keys(boss, project, "doubtful=true")) == set(WRONG)
    assert set(keys(boss, project, "class=cat&predicted.class=dog")) == {"dog-31", "dog-55"}
    assert boss.get(f"/projects/{project}/overview").json()["doubtful"] == 4
    [first, *_] = boss.get(f"/projects/{project}/items?doubtful=true&sort=-probability").json()["items"]
    assert first["predicted"]["label"] == {"class": first["key"][:3]}
    assert first["label"] != first["predicted"]["label"]

    mended = {each["key"]: each for each in boss.get(f"/projects/{project}/items?doubtful=true").json()["items"]}
    for key, name in (("cat-10", "cat"), ("dog-31", "cat")):  # the second one is said to be right
        said = boss.put(f"/items/{mended[key]['id']}/label", json={"label": {"class": name}})
        assert said.status_code == 200, said.text
    assert set(keys(boss, project, "doubtful=true")) == {"cat-24", "dog-55"}
    boss.post(f"/projects/{project}/rounds", json={})
    api.run_jobs()
    assert set(keys(boss, project, "doubtful=true")) == {"cat-24", "dog-55"}
    assert listed(boss, project, "doubtful=true&status=open") == 0


def test_items_that_more_people_are_to_answer_keep_the_opinion_of_the_sample(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(overlap=2, audit_share=0)["id"]
    boss.push(project, pets(60))
    api.run_jobs()
    for _ in range(25):
        held = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        label = {"class": held["item"]["key"][:3]}
        assert boss.post("/annotations", json={"lease": held["id"], "label": label}).status_code == 201
    api.run_jobs()

    last = boss.get(f"/projects/{project}/rounds?limit=1").json()["items"][0]
    assert (last["state"], last["reason"]) == ("done", None)
    assert keys(boss, project, "doubtful=true") == []
