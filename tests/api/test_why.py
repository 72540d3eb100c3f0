"""Why an item is asked: for its holder alone, with the own answers alone, and never for a blind item."""

from tests.api.test_loop import pets
from tests.api.test_overview import answer
from tests.conftest import Api, Speaker


def lease_of(speaker: Speaker, project: int) -> dict:
    return speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]


def test_the_model_and_the_nearest_answered_items_explain_an_item(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0, blind_share=0)["id"]
    boss.push(project, pets(120))
    api.worker().run_waiting()
    answer(boss, project, 30)
    api.worker().run_waiting()
    boss.delete(f"/projects/{project}/leases")
    lease = lease_of(boss, project)

    found = boss.get(f"/leases/{lease['id']}/why").json()

    assert found["blind"] is False
    assert sum(each["probability"] for each in found["classes"]) > 0.999
    assert found["classes"][0]["probability"] >= found["classes"][1]["probability"]
    alike = found["neighbours"]
    assert len(alike) == 3
    assert [each["similarity"] for each in alike] == sorted((each["similarity"] for each in alike), reverse=True)
    for each in alike:
        assert each["label"] == {"class": each["key"][:3]}
        assert each["text"].startswith("it ")
    assert alike[0]["key"][:3] == lease["item"]["key"][:3]
    assert "likely" not in lease["reason"]
    boss.post(f"/projects/{project}/rounds")
    api.worker().run_waiting()
    assert boss.get(f"/leases/{lease['id']}/why").json()["classes"] == found["classes"]


def test_an_annotator_sees_the_own_answers_and_a_reviewer_everybodys(api: Api) -> None:
    boss, bea = api.as_("boss"), api.as_("bea")
    project = boss.project(audit_share=0, blind_share=0)["id"]
    assert boss.post(f"/projects/{project}/members", json={"user": "bea", "role": "annotator"}).status_code == 201
    boss.push(project, pets(60))
    api.worker().run_waiting()
    answer(boss, project, 8)
    mine = lease_of(bea, project)["id"]
    assert bea.get(f"/leases/{mine}/why").json()["neighbours"] == []

    answer(bea, project, 1)

    second = lease_of(bea, project)["id"]
    assert len(bea.get(f"/leases/{second}/why").json()["neighbours"]) == 1
    assert len(boss.get(f"/leases/{lease_of(boss, project)['id']}/why").json()["neighbours"]) == 3
    assert boss.get(f"/leases/{second}/why").status_code == 404
    assert bea.get("/leases/999999/why").status_code == 404


def test_nothing_is_told_about_an_item_that_is_served_blind(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0, blind_share=1)["id"]
    boss.push(project, pets(60))
    api.worker().run_waiting()
    answer(boss, project, 25)
    api.worker().run_waiting()

    found = boss.get(f"/leases/{lease_of(boss, project)['id']}/why").json()

    assert found == {"blind": True, "classes": [], "neighbours": []}


def test_an_answer_taken_back_is_no_neighbour(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0, blind_share=0)["id"]
    boss.push(project, pets(40))
    api.worker().run_waiting()
    lease = lease_of(boss, project)
    body = {"lease": lease["id"], "label": {"class": "cat"}, "seconds_spent": 1.0}
    assert boss.post("/annotations", json=body).status_code == 201
    other = lease_of(boss, project)["id"]
    assert [each["key"] for each in boss.get(f"/leases/{other}/why").json()["neighbours"]] == [lease["item"]["key"]]

    assert boss.delete(f"/leases/{lease['id']}/annotation").status_code == 200

    assert boss.get(f"/leases/{other}/why").json()["neighbours"] == []
