"""The numbers of the status: what words call answers are answers that people gave."""

from tests.api.test_labelling import answer
from tests.api.test_loop import pets
from tests.conftest import Api


def test_imported_labels_are_no_answers_of_people_and_judge_nothing(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.3)["id"]
    rows = pets(200)
    boss.push(project, [row | ({"label": row["key"][:3]} if n < 120 else {}) for n, row in enumerate(rows)])
    api.worker().run_waiting()

    status = boss.get(f"/projects/{project}/status").json()
    metrics = boss.get(f"/projects/{project}/rounds/1").json()["metrics"]

    assert (status["annotations"], status["answers"], status["items"]["answered"]) == (120, 0, 120)
    assert status["audit"] == {"answers": 0, "accuracy": None}
    assert metrics["audit"] is None
    assert metrics["reason"] == "0 audit answers so far"


def test_audit_answers_are_those_that_stand(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5)["id"]
    boss.push(project, pets(100))
    audit = []
    for _ in range(25):
        lease = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        answer(boss, lease["id"], lease["item"]["key"][:3])
        if lease["reason"]["kind"] == "audit":
            audit.append(lease["id"])
    api.worker().run_waiting()

    before = boss.get(f"/projects/{project}/status").json()
    boss.delete(f"/leases/{audit[0]}/annotation")
    after = boss.get(f"/projects/{project}/status").json()

    assert (before["audit"]["answers"], before["answers"]) == (len(audit), 25)
    assert before["audit"]["accuracy"]["n"] == len(audit)
    assert (after["audit"]["answers"], after["answers"]) == (len(audit) - 1, 24)
