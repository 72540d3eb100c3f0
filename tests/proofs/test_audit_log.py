"""I20: each change of rights, keys, members, exports and deletions is one line of the log, which only grows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, get_args

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from app.db import Event, Job, Project, SignInFailure, Simulation, User
from app.db.session import now
from app.services import accounts, audit, retention, simulations, stopping
from tests.api.test_simulations import labelled
from tests.api.test_takeaway import taught
from tests.conftest import PASSWORD, Api

Deed = Callable[[Api, int, int], Any]  # with a project and an item
PERSON = {"name": "eve", "password": PASSWORD}


def member(api: Api, project: int, _item: int) -> Any:
    api.user("eve")
    return api.as_("boss").post(f"/projects/{project}/members", json={"user": "eve", "role": "reviewer"})


def member_removed(api: Api, project: int, item: int) -> Any:
    member(api, project, item)
    eve = api.as_("eve").get("/session").json()["user"]["id"]
    return api.as_("boss").delete(f"/projects/{project}/members/{eve}")


def invited(api: Api, project: int, _item: int) -> Any:
    asked = api.as_("boss").post(f"/projects/{project}/invitations", json={"role": "annotator", "uses": 1})
    code = asked.json()["url"].rsplit("/", 1)[-1]
    return api.client.post(f"/api/v1/invitations/{code}/accept", json=PERSON)


def token_ended(api: Api, _project: int, _item: int) -> Any:
    made = api.as_("boss").post("/tokens", json={"name": "t"}).json()
    return api.as_("boss").delete(f"/tokens/{made['id']}")


def settings(api: Api, project: int, _item: int) -> Any:
    tag = api.as_("boss").get(f"/projects/{project}").headers["ETag"]
    return api.as_("boss").patch(f"/projects/{project}", json={"name": "Zoo"}, headers={"If-Match": tag})


def signed_in(api: Api, *_: int, password: str = PASSWORD) -> Any:
    api.user("eve")
    return api.client.post("/api/v1/session", json={"name": "eve", "password": password})


def new_password(api: Api, *_: int) -> Any:
    csrf = signed_in(api).json()["csrf_token"]
    body = {"old_password": PASSWORD, "new_password": "some other words"}
    return api.client.post("/api/v1/session/password", json=body, headers={"X-CSRF-Token": csrf})


def reset_password(api: Api, *_: int) -> Any:
    made = api.as_("boss").post(f"/users/{api.user('eve')}/password-link").json()
    return api.client.post(f"/api/v1{made['url'].partition('testserver')[2]}", json={"password": "some other words"})


def entered(api: Api, project: int, _item: int) -> Any:
    with api.db.write() as session:
        code = accounts.sign_in_link(session, session.query(User).filter_by(name="boss").one().id, project)
    return api.client.get(f"/enter/{code}", follow_redirects=False)


def copied(api: Api, project: int, item: int) -> Any:
    member(api, project, item)
    return api.as_("boss").post("/projects", json={"copy_of": project, "name": "Copy"})


def restored(api: Api, project: int, _item: int) -> Any:
    api.as_("boss").delete(f"/projects/{project}")
    return api.as_("boss").post(f"/projects/{project}/restore")


def third_class(api: Api, project: int) -> int:
    answer = api.as_("boss").post(f"/projects/{project}/classes", json={"name": "bird"})
    return int(answer.json()["id"])


def merged(api: Api, project: int, _item: int) -> Any:
    number = third_class(api, project)
    return api.as_("boss").post(f"/projects/{project}/classes/{number}/merge", json={"into": 1})


def unmerged(api: Api, project: int, item: int) -> Any:
    number = merged(api, project, item).json()["id"]
    return api.as_("boss").delete(f"/projects/{project}/classes/{number}/merge")


def bucket(api: Api, project: int, _item: int) -> Any:
    named = {"buckets": f"pets=file://{api.settings.data}"}
    api.client.app.state.settings = api.settings.model_copy(update=named)  # type: ignore[attr-defined]
    return api.as_("boss").put(f"/projects/{project}/buckets/pets")


def bucket_revoked(api: Api, project: int, item: int) -> Any:
    bucket(api, project, item)
    return api.as_("boss").delete(f"/projects/{project}/buckets/pets")


def scorer_secret(api: Api, project: int, _item: int) -> Any:
    with api.db.write() as session:
        session.get_one(Project, project).learner = {"name": "http", "url": "https://example.com"}
    return api.as_("boss").post(f"/projects/{project}/scorer/secret")


def snapshot(api: Api, project: int, _item: int) -> Any:
    return api.as_("boss").post(f"/projects/{project}/snapshots", json={"name": "v1"})


def with_snapshot(method: str, path: str = "") -> Deed:
    def deed(api: Api, project: int, item: int) -> Any:
        snapshot(api, project, item)
        api.run_jobs()
        return getattr(api.as_("boss"), method)(f"/projects/{project}/snapshots/v1{path}")

    return deed


def webhook(api: Api, project: int, _item: int) -> Any:
    hook = {"url": "https://example.com/hook", "events": ["goal.reached"]}
    return api.as_("boss").post(f"/projects/{project}/webhooks", json=hook)


def webhook_changed(api: Api, project: int, item: int) -> Any:
    number = webhook(api, project, item).json()["id"]
    return api.as_("boss").patch(f"/projects/{project}/webhooks/{number}", json={"active": False})


def webhook_deleted(api: Api, project: int, item: int) -> Any:
    number = webhook(api, project, item).json()["id"]
    return api.as_("boss").delete(f"/projects/{project}/webhooks/{number}")


def taken(api: Api, *_: int) -> Any:
    boss = api.as_("boss")
    project = taught(api, boss)
    return boss.get(f"/projects/{project}/rounds/1/learner", params={"format": "sklearn"})


def simulation(api: Api, *_: int) -> Any:
    boss = api.as_("boss")
    project = labelled(boss)
    api.run_jobs()
    body = {"strategies": [{"name": "margin"}], "seeds": 1, "labels": 20, "round_size": 10}
    return boss.post(f"/projects/{project}/simulations", json=body)


def with_simulation(method: str, path: str) -> Deed:
    """One that a worker has replayed; who won is tested where it is decided."""

    def deed(api: Api, project: int, _item: int) -> Any:
        design = {"strategies": [{"name": "margin"}, {"name": "random"}], "seeds": 1, "labels": 20, "round_size": 10}
        with api.db.write() as session:
            moment = now(session)
            rows: dict[str, Any] = {"project_id": project, "created_at": moment}
            job = Job(kind="compare", payload={}, state="done", due_at=moment, updated_at=moment, **rows)
            session.add(job)
            session.flush()
            texts = {"features": "", "judged_by": "audit"}
            made = Simulation(
                job_id=job.id, design=design, items=[], classes=[], pool_rows=1, test_rows=1, **texts, **rows
            )
            session.add(made)
            session.flush()
            number = made.id
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(simulations, "_winner", lambda *_: {"name": "margin"})
            return getattr(api.as_("boss"), method)(f"/projects/{project}/simulations/{number}{path}")

    return deed


def purged(api: Api, project: int, _item: int) -> None:
    api.as_("boss").delete(f"/projects/{project}")
    with api.db.write() as session:
        session.get_one(Project, project).deleted_at = now(session) - timedelta(days=30)
    api.run_jobs()


def stopped(api: Api, project: int, _item: int) -> None:
    with api.db.write() as session:
        found = session.get_one(Project, project)
        found.goal = {"stops": True}
        stopping.act(session, found, {"stop": True, "because": ["stable"], "text": "You may stop."})


def retained(api: Api, *_: int) -> None:
    with api.db.write() as session:
        session.add(SignInFailure(subject="x", at=now(session) - timedelta(days=3)))
    retention.clear(api.db, api.settings)


def audited(api: Api, *_: int) -> Any:
    boss = api.as_("boss")
    project = boss.project(name="Audited", audit_share=0.5)["id"]
    boss.push(project, [{"key": f"k{number}", "text": "x"} for number in range(40)])
    return boss.post(f"/projects/{project}/audit-request", json={"count": 1})


def audit_cancelled(api: Api, *_: int) -> Any:
    audited(api)
    boss = api.as_("boss")
    project = max(each["id"] for each in boss.get("/projects").json()["items"])
    return boss.delete(f"/projects/{project}/audit-request")


DEEDS: dict[str, Deed] = {
    "audit.asked": audited,
    "audit.cancelled": audit_cancelled,
    "bucket.granted": bucket,
    "bucket.revoked": bucket_revoked,
    "class.added": lambda api, project, _: api.as_("boss").post(f"/projects/{project}/classes", json={"name": "bird"}),
    "class.changed": lambda api, project, _: api.as_("boss").patch(
        f"/projects/{project}/classes/1", json={"name": "kitten"}
    ),
    "class.deleted": lambda api, project, _: api.as_("boss").delete(
        f"/projects/{project}/classes/{third_class(api, project)}"
    ),
    "class.merged": merged,
    "class.unmerged": unmerged,
    "export.made": lambda api, project, _: api.as_("boss").get(f"/projects/{project}/export"),
    "item.deleted": lambda api, _, item: api.as_("boss").delete(f"/items/{item}"),
    "item.erased": lambda api, _, item: api.as_("boss").delete(f"/items/{item}", params={"erase": True}),
    "learner.taken": taken,
    "member.invited": lambda api, project, _: api.as_("boss").post(
        f"/projects/{project}/invitations", json={"role": "annotator", "uses": 1}
    ),
    "member.joined": invited,
    "member.removed": member_removed,
    "member.set": member,
    "member.set by a copy": copied,
    "password.changed": new_password,
    "password.changed by a link": reset_password,
    "password.link": lambda api, *_: api.as_("boss").post(f"/users/{api.user('eve')}/password-link"),
    "project.changed": settings,
    "project.created": lambda api, *_: api.as_("boss").post(
        "/projects", json={"name": "Q", "modality": "text", "task": {"classes": ["a", "b"]}}
    ),
    "project.deleted": lambda api, project, _: api.as_("boss").delete(f"/projects/{project}"),
    "project.purged": purged,
    "project.restored": restored,
    "project.stopped": stopped,
    "retention.applied": retained,
    "scorer.secret": scorer_secret,
    "session.opened": signed_in,
    "session.opened by a link": entered,
    "session.refused": lambda api, *_: signed_in(api, password="no such words at all"),
    "sessions.ended": lambda api, *_: api.as_("eve").delete("/sessions"),
    "simulation.applied": with_simulation("post", "/apply"),
    "simulation.deleted": with_simulation("delete", ""),
    "simulation.started": simulation,
    "snapshot.created": snapshot,
    "snapshot.deleted": with_snapshot("delete"),
    "snapshot.exported": with_snapshot("get", "/export"),
    "token.created": lambda api, *_: api.as_("boss").post("/tokens", json={"name": "t"}),
    "token.deleted": token_ended,
    "user.changed": lambda api, *_: api.as_("boss").patch(f"/users/{api.user('eve')}", json={"admin": True}),
    "user.created": lambda api, *_: api.as_("boss").post("/users", json=PERSON),
    "user.erased": lambda api, *_: api.as_("boss").delete(f"/users/{api.user('eve')}"),
    "user.exported": lambda api, *_: api.as_("boss").get(f"/users/{api.user('eve')}/export"),
    "webhook.changed": webhook_changed,
    "webhook.created": webhook,
    "webhook.deleted": webhook_deleted,
}
REFUSED = {"session.refused"}


def prepared(api: Api) -> tuple[int, int]:
    """A project and its item."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "x"}])
    return project, boss.get(f"/projects/{project}/items").json()["items"][0]["id"]


def lines(api: Api, action: str) -> list[Event]:
    with api.db.read() as session:
        return list(session.query(Event).filter_by(action=action).order_by(Event.id))


def test_every_deed_of_the_log_is_provoked_here() -> None:
    assert {each.partition(" ")[0] for each in DEEDS} == set(get_args(audit.Deed))


@pytest.mark.parametrize("deed", DEEDS)
def test_a_deed_is_one_line_with_who_did_it_in_which_request(api: Api, deed: str) -> None:
    project, item = prepared(api)
    action = deed.partition(" ")[0]
    before = len(lines(api, action))

    answer = DEEDS[deed](api, project, item)

    found = lines(api, action)[before:]
    if answer is None:  # the service's own
        assert [line.user_id for line in found] == [None]
        return
    assert answer.status_code < 400 or deed in REFUSED, answer.text
    mine = [line for line in found if line.request_id == answer.headers["X-Request-Id"]]
    assert len(mine) == 1
    assert mine[0].user_id is not None
    assert PASSWORD not in str(mine[0].detail)


@pytest.mark.parametrize(
    "deed",
    [
        "DELETE FROM events",
        "UPDATE events SET action = 'nothing happened'",
        "UPDATE events SET detail = '{}'",
        "UPDATE events SET user_id = 2 WHERE user_id = 1",
        "UPDATE events SET at = '2026-01-01 00:00:00'",
        "UPDATE events SET request_id = 'x'",
    ],
)
def test_the_database_lets_no_line_change_or_go(api: Api, deed: str) -> None:
    prepared(api)
    api.user("eve")
    before = [(line.id, line.action, line.user_id, line.detail) for line in lines(api, "project.created")]

    with pytest.raises(DatabaseError, match="only grows"), api.db.write() as session:
        session.execute(text(deed))

    assert [(line.id, line.action, line.user_id, line.detail) for line in lines(api, "project.created")] == before


def test_a_project_that_is_gone_for_good_is_unlinked_from_its_lines(api: Api) -> None:
    project, _ = prepared(api)

    with api.db.write() as session:
        audit.unlink(session, project)

    assert [line.project_id for line in lines(api, "project.created")] == [None]


def test_lines_that_are_too_old_go_by_the_one_way_there_is(api: Api) -> None:
    prepared(api)
    old = [line.id for line in lines(api, "project.created")]

    with api.db.write() as session:
        audit.forget(session, old)

    assert lines(api, "project.created") == []
    with pytest.raises(DatabaseError, match="only grows"), api.db.write() as session:
        session.execute(text("DELETE FROM events"))  # the door is shut again


def test_the_log_names_the_request_of_each_line_for_admins_alone(api: Api) -> None:
    project, _ = prepared(api)
    made = api.as_("boss").get(f"/projects/{project}/export").headers["X-Request-Id"]
    api.as_("ann")

    seen = api.as_("boss").get("/audit-log").json()["items"]

    assert made in [line["request"] for line in seen if line["action"] == "export.made"]
    assert api.as_("ann").get("/audit-log").status_code == 403
