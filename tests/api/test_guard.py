"""The no-harm guard in a project: kept by the rounds, said in the status, served half at random, switched off."""

from typing import Any

from sqlalchemy import select, update

from app.db import Lease, Round
from app.strategies import catalogue
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


def answers(api: Api, boss: Speaker, project: int, count: int) -> list[str]:
    """The kinds of the next items; each is answered as its key says."""
    taken = []
    for _ in range(count):
        [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}}
        assert boss.post("/annotations", json=body).status_code == 201
        taken.append(lease["id"])
    with api.db.read() as session:
        return list(session.execute(select(Lease.kind).where(Lease.id.in_(taken))).scalars())


def newest(api: Api, project: int) -> Round:
    with api.db.read() as session:
        found = select(Round).where(Round.project_id == project).order_by(Round.number.desc()).limit(1)
        return session.execute(found).scalar_one()


def raised(api: Api, project: int, **guard: Any) -> None:
    """Leave the newest round as one that found choosing behind."""
    row = newest(api, project)
    metrics = {**(row.metrics or {}), "guard": {"raised": True, "streak": 0, "judged": 0, **guard}}
    with api.db.write() as session:
        session.execute(update(Round).where(Round.id == row.id).values(metrics=metrics))


def test_a_guard_that_is_up_serves_half_at_random_says_so_and_comes_down_again(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.1, round_size=20)["id"]
    boss.push(project, pets(300))
    api.run_jobs()
    answers(api, boss, project, 40)
    api.run_jobs()
    measured = newest(api, project).metrics
    assert measured is not None
    assert measured["guard"]["raised"] is False
    assert measured["guard"]["judged"] >= 5  # pets are easy: choosing is not behind

    raised(api, project, streak=2, judged=measured["guard"]["judged"])
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    status = boss.get(f"/projects/{project}/status").json()
    assert "Half of the answers are asked at random for now" in status["strategy"]
    assert newest(api, project).strategy == {"name": "auto", "ran": "uherding", "guarded": True}
    kinds = answers(api, boss, project, 60)

    assert 20 <= sum(kind != "query" for kind in kinds) <= 40
    assert kinds.count("random") > 0  # the reserved items are used up: the rest is drawn from all others
    api.run_jobs()
    again = newest(api, project)
    assert again.metrics is not None
    assert again.metrics["guard"]["raised"] is False
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    assert "at random for now" not in boss.get(f"/projects/{project}/status").json()["strategy"]


def test_the_guard_is_switched_off_by_a_parameter_of_auto(api: Api) -> None:
    boss = api.as_("boss")
    strategy = {"name": "auto", "guard": False}
    project = boss.project(strategy=strategy, round_size=20)["id"]
    boss.push(project, pets(100))
    api.run_jobs()
    answers(api, boss, project, 20)
    raised(api, project)
    api.run_jobs()

    row = newest(api, project)
    assert row.strategy == {"ran": "uherding", **strategy}
    assert "at random for now" not in (row.sentence or "")
    assert {each["name"] for each in catalogue()[0]["parameters"]} == {"own", "reach", "rare", "guard"}
    changed = {"strategy": {"name": "auto", "guard": 1}}
    etag = boss.get(f"/projects/{project}").headers["etag"]
    refused = boss.patch(f"/projects/{project}", json=changed, headers={"If-Match": etag})
    assert (refused.status_code, refused.json()["detail"]) == (422, "strategy auto: guard is true or false")
