"""A strategy that goes by example items and by metadata, over REST: followed, or refused where an item is not there."""

from typing import Any

import pytest

from tests.api.test_records import replay
from tests.conftest import Api, Speaker

PRODUCT = {"name": "product", "uncertainty": 0, "diversity": 0}


def told(number: int) -> dict[str, Any]:
    """Texts about boats and about trains, two thirds of them trains; some have views."""
    about = ("boat sails mast harbour", "train rails station platform")[number % 3 > 0].split()
    text = " ".join(about[(number // step) % 4] for step in (1, 2, 3, 5)) + f" {number}"
    metadata = {"views": number} if number % 2 else {"views": "many"}
    return {"key": f"item {number}", "text": text, "metadata": metadata}


def labelled(api: Api, boss: Speaker, **given: Any) -> int:
    project: int = boss.project(audit_share=0.1, round_size=20, **given)["id"]
    boss.push(project, [told(number) for number in range(150)])
    api.run_jobs()
    answer(boss, project, 20)
    api.run_jobs()
    return project


def answer(boss: Speaker, project: int, count: int) -> None:
    for place in range(count):
        [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        body = {"lease": lease["id"], "label": {"class": ("cat", "dog")[place % 2]}}
        assert boss.post("/annotations", json=body).status_code == 201


def change(boss: Speaker, project: int, strategy: dict[str, Any]) -> Any:
    etag = boss.get(f"/projects/{project}").headers["etag"]
    return boss.patch(f"/projects/{project}", json={"strategy": strategy}, headers={"If-Match": etag})


def chosen(api: Api, boss: Speaker, project: int, count: int, strategy: dict[str, Any]) -> tuple[list[int], str]:
    """The numbers of the items that a strategy selects, best first, and what is said of it."""
    body = {"count": count, "strategy": strategy}
    job = boss.post(f"/projects/{project}/select?wait=0", json=body).json()["job"]["id"]
    api.worker().run_waiting()
    done = boss.get(f"/jobs/{job}").json()
    assert done["state"] == "done", done
    return [int(each["key"].split()[1]) for each in done["result"]["items"]], done["result"]["words"]


def newest(boss: Speaker, project: int) -> dict[str, Any]:
    found: dict[str, Any] = boss.get(f"/projects/{project}/rounds").json()["items"][0]
    return found


def test_an_example_that_is_not_there_is_refused_by_its_key(api: Api) -> None:
    boss = api.as_("boss")
    project = labelled(api, boss)

    wrong = change(boss, project, {**PRODUCT, "similarity": 1, "like": "item 3, item 999, nobody"})

    assert wrong.status_code == 422
    assert wrong.json()["detail"] == "strategy product: there is no item 'item 999', 'nobody'"
    assert boss.get(f"/projects/{project}").json()["strategy"] == {"name": "auto"}
    body = {"count": 3, "strategy": {**PRODUCT, "similarity": 1, "like": "nobody"}}
    assert "there is no item 'nobody'" in boss.post(f"/projects/{project}/select", json=body).json()["detail"]


def test_rounds_and_selections_go_by_examples_and_metadata(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    boss = api.as_("boss")
    project = labelled(api, boss)
    boats = {**PRODUCT, "similarity": 10, "like": "item 0, item 3"}

    assert change(boss, project, boats).status_code == 200
    answer(boss, project, 20)
    api.run_jobs()
    alike, _ = chosen(api, boss, project, 10, boats)
    viewed, _ = chosen(api, boss, project, 10, {**PRODUCT, "weight": 1, "by": "views"})
    _, words = chosen(api, boss, project, 3, {**PRODUCT, "weight": 1, "by": "likes"})

    assert newest(boss, project)["strategy"] == "product"
    assert newest(boss, project)["fallback"] is None
    assert all(number % 3 == 0 for number in alike)
    assert all(number % 2 for number in viewed)
    assert viewed == sorted(viewed, reverse=True)
    assert words.endswith("No candidate has a weight above nought")
    number = newest(boss, project)["number"]
    assert replay(api, project, number) == 0
    assert "it went by examples or by metadata, which are read as they are now" in capsys.readouterr().out
