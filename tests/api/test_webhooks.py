"""Webhooks: signed, in order, at least once, and no concern of those who label."""

import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.db import Annotation, Delivery, Event, Webhook
from app.services import courier, outbox, retention
from labelwise import is_genuine
from tests.api.test_predictions import status
from tests.conftest import Api, Speaker
from tests.receiver import Receiver, receiving

SECRET = "a secret of sixteen characters"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def boss(api: Api, receiver: Receiver) -> Speaker:
    allowed = api.settings.model_copy(update={"allow_fetch_from": f"127.0.0.1:{receiver.port}"})
    api.client.app.state.settings = api.settings = allowed
    return api.as_("boss")


def hook(boss: Speaker, project: int, receiver: Receiver, *events: str, **given: Any) -> dict[str, Any]:
    body = {"url": receiver.url, "events": list(events or outbox.EVENTS), "secret": SECRET, **given}
    answer = boss.post(f"/projects/{project}/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def deliver(api: Api) -> None:
    """All that is due."""
    while courier.deliver_some(api.db, api.settings):
        pass


def at_once(api: Api) -> None:
    """Let the pause after a failure be over."""
    with api.db.write() as session:
        session.execute(update(Webhook).values(next_at=Webhook.created_at))


def flag(boss: Speaker, project: int, key: str) -> None:
    item = boss.get(f"/projects/{project}/items", params={"key": key}).json()["items"][0]["id"]
    assert boss.post(f"/items/{item}/flags", json={"note": f"look at {key}"}).status_code == 201


def test_events_arrive_signed_and_in_order(api: Api, boss: Speaker, receiver: Receiver) -> None:
    project = boss.project()["id"]
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(5)])
    hook(boss, project, receiver, "flag.created")

    for n in range(5):
        flag(boss, project, f"k{n}")
    deliver(api)

    assert receiver.seqs == [1, 2, 3, 4, 5]
    assert [body["data"]["key"] for _, body in receiver.got] == [f"k{n}" for n in range(5)]
    assert {body["event"] for _, body in receiver.got} == {"flag.created"}
    assert {body["project"]["id"] for _, body in receiver.got} == {project}
    assert len({body["id"] for _, body in receiver.got}) == 5
    for (signature, _), raw in zip(receiver.got, receiver.raw, strict=True):
        moment, mac = (part.split("=", 1)[1] for part in signature.split(","))
        assert abs(int(moment) - time.time()) < 60
        assert mac == hmac.new(SECRET.encode(), f"{moment}.".encode() + raw, hashlib.sha256).hexdigest()
        assert is_genuine(signature, raw, SECRET)
        assert not is_genuine(signature, raw.replace(b"look", b"buy "), SECRET)
        assert not is_genuine(signature, raw, SECRET + "x")
        assert not is_genuine(signature, raw, SECRET, oldest_seconds=-1)


def test_a_failure_holds_up_what_comes_behind_and_nothing_is_lost(api: Api, boss: Speaker, receiver: Receiver) -> None:
    project = boss.project()["id"]
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(3)])
    made = hook(boss, project, receiver, "flag.created")
    receiver.status = 500
    for n in range(3):
        flag(boss, project, f"k{n}")
    deliver(api)

    tried = boss.get(f"/projects/{project}/webhooks/{made['id']}/deliveries").json()["items"]
    shown = boss.get(f"/projects/{project}/webhooks").json()["items"][0]
    assert receiver.seqs == [1]
    assert [(row["seq"], row["state"], row["attempts"], row["status"]) for row in tried] == [
        (3, "waiting", 0, None), (2, "waiting", 0, None), (1, "waiting", 1, 500),
    ]  # fmt: skip
    assert (shown["waiting"], shown["failures"], shown["active"]) == (3, 1, True)
    assert shown["reason"] == "the address answered with status 500"
    assert shown["next_try"] is not None

    deliver(api)
    assert receiver.seqs == [1]  # not before the pause is over

    receiver.status = 204
    at_once(api)
    deliver(api)
    assert receiver.seqs == [1, 1, 2, 3]
    assert receiver.got[0][1] == receiver.got[1][1]  # the same event, for whoever looks at ids
    assert boss.get(f"/projects/{project}/webhooks").json()["items"][0]["reason"] is None


def test_pauses_grow_and_after_a_day_the_webhook_is_paused_until_somebody_starts_it(
    api: Api, boss: Speaker, receiver: Receiver
) -> None:
    project = boss.project()["id"]
    boss.push(project, [{"key": "k", "text": "text"}])
    made = hook(boss, project, receiver, "flag.created")
    receiver.status = 503
    flag(boss, project, "k")
    pauses = []
    for _ in range(7):
        at_once(api)
        deliver(api)
        with api.db.read() as session:
            row = session.get_one(Webhook, made["id"])
            assert row.failing_since is not None
            pauses.append(round((row.next_at - api.db.now()).total_seconds() / 5) * 5)
    assert pauses == [5, 15, 60, 300, 900, 3600, 3600]

    with api.db.write() as session:
        session.execute(update(Webhook).values(failing_since=api.db.now() - timedelta(hours=25)))
    at_once(api)
    deliver(api)
    paused = boss.get(f"/projects/{project}/webhooks").json()["items"][0]
    assert not paused["active"]
    assert paused["reason"].startswith("nothing was taken for 24 hours")
    assert boss.post(f"/projects/{project}/webhooks/{made['id']}/test").status_code == 409

    receiver.status = 200
    started = boss.patch(f"/projects/{project}/webhooks/{made['id']}", json={"active": True})
    assert started.json()["active"], started.text
    deliver(api)
    assert len(receiver.got) == 9
    assert boss.get(f"/projects/{project}/webhooks").json()["items"][0]["waiting"] == 0


def test_an_address_that_is_gone_and_one_that_redirects(api: Api, boss: Speaker, receiver: Receiver) -> None:
    project = boss.project()["id"]
    made = hook(boss, project, receiver, "flag.created")
    receiver.status, receiver.headers = 302, {"Location": "http://169.254.169.254/"}
    boss.post(f"/projects/{project}/webhooks/{made['id']}/test")
    deliver(api)
    assert boss.get(f"/projects/{project}/webhooks").json()["items"][0]["reason"].endswith("status 302")
    assert len(receiver.got) == 1  # it was not followed

    receiver.status, receiver.headers = 410, {}
    at_once(api)
    deliver(api)
    shown = boss.get(f"/projects/{project}/webhooks").json()["items"][0]
    assert (shown["active"], shown["reason"]) == (False, "the address answered that it is gone for good (410)")


def test_a_round_an_import_and_answers_are_told(
    api: Api, boss: Speaker, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "BATCH_SECONDS", 0.0)
    project = boss.project(audit_share=0, goal={"labels": 2})["id"]
    hook(boss, project, receiver)
    rows = [{"key": f"k{n}", "text": f"text {n} {'meow' if n % 2 else 'bark'}"} for n in range(40)]
    boss.post(f"/projects/{project}/items", params={"async": "true"}, json=rows)
    api.run_jobs()
    leases = boss.post(f"/projects/{project}/leases", json={"count": 3}).json()["leases"]
    for lease in leases:
        label = {"class": "cat" if "meow" in lease["item"]["text"] else "dog"}
        assert boss.post("/annotations", json={"lease": lease["id"], "label": label}).status_code == 201
    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    api.run_jobs()
    deliver(api)

    told: dict[str, list[dict[str, Any]]] = {}
    for _, body in receiver.got:
        told.setdefault(body["event"], []).append(body["data"])
    assert told["job.finished"][0] | {"job": 0} == {"job": 0, "kind": "import", "state": "done", "reason": None}
    assert [data["round"] for data in told["round.published"]] == [1, 2]
    with api.db.read() as session:
        last = session.query(Annotation).order_by(Annotation.id.desc()).first()
        assert last is not None
        newest = last.id
    assert sum(data["count"] for data in told["annotation.batch"]) == 3
    assert told["annotation.batch"][-1]["last"] == newest
    assert len(told["goal.reached"]) == 1
    assert told["goal.reached"][0]["goal"] == {"labels": 2}

    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    deliver(api)
    assert [body["event"] for _, body in receiver.got].count("goal.reached") == 1


def test_a_round_that_fails_is_told(api: Api, boss: Speaker, receiver: Receiver) -> None:
    from app.services.jobs import JobFailed, Running

    project = boss.project()["id"]
    hook(boss, project, receiver, "round.failed")
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(5)])

    def broken(_: Running) -> Any:
        raise JobFailed("no such thing")

    from app.worker import HANDLERS, WorkerProcess

    WorkerProcess(api.settings, api.db, {**HANDLERS, "round": broken}).run_waiting()
    deliver(api)

    assert [body["data"]["reason"] for _, body in receiver.got] == ["no such thing"]


def test_a_round_that_waits_for_predictions_is_told(api: Api, boss: Speaker, receiver: Receiver) -> None:
    project = boss.project(learner={"name": "external"})["id"]
    hook(boss, project, receiver, "round.waiting_for_predictions")
    boss.push(project, [{"key": f"{'cat' if n % 2 else 'dog'} {n}", "text": f"text {n}"} for n in range(40)])
    api.worker().run_waiting()
    for _ in range(6):
        lease = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        boss.post("/annotations", json={"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}})
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs_until(lambda: status(boss, project)["round"]["state"] == "waiting_for_predictions")
    deliver(api)

    assert [body["event"] for _, body in receiver.got] == ["round.waiting_for_predictions"]
    assert 1 <= receiver.got[0][1]["data"]["labels"] <= 6  # all but audit answers


def test_two_couriers_deliver_each_event_once(api: Api, boss: Speaker, receiver: Receiver) -> None:
    project = boss.project()["id"]
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(30)])
    hook(boss, project, receiver, "flag.created")
    for n in range(30):
        flag(boss, project, f"k{n}")

    both = [threading.Thread(target=deliver, args=(api,)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert receiver.seqs == list(range(1, 31))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/x", "https://"),
        ("https://127.0.0.1/x", "not of the public internet"),
        ("https://169.254.169.254/latest", "not of the public internet"),
        ("https://[::ffff:10.0.0.1]/", "not of the public internet"),
        ("https://example.org:8443/", "port"),
        ("ftp://example.org/", "http"),
        ("nonsense", ""),
    ],
)
def test_addresses_that_may_not_be_called_are_refused_when_made_and_when_changed(
    boss: Speaker, receiver: Receiver, url: str, words: str
) -> None:
    project = boss.project()["id"]
    made = hook(boss, project, receiver)

    answers = [
        boss.post(f"/projects/{project}/webhooks", json={"url": url, "events": ["flag.created"]}),
        boss.patch(f"/projects/{project}/webhooks/{made['id']}", json={"url": url}),
    ]

    assert [each.status_code for each in answers] == [422, 422]
    assert all(words in each.text for each in answers)
    assert boss.get(f"/projects/{project}/webhooks").json()["items"][0]["url"] == receiver.url


def test_an_address_that_was_allowed_once_is_checked_at_each_delivery(
    api: Api, boss: Speaker, receiver: Receiver
) -> None:
    project = boss.project()["id"]
    made = hook(boss, project, receiver)
    closed = api.settings.model_copy(update={"allow_fetch_from": ""})
    boss.post(f"/projects/{project}/webhooks/{made['id']}/test")

    courier.deliver_some(api.db, closed)

    assert receiver.got == []
    shown = boss.get(f"/projects/{project}/webhooks/{made['id']}/deliveries").json()["items"][0]
    assert shown["state"] == "waiting"
    assert "is not fetched from" in shown["reason"]


def test_the_secret_is_shown_once_and_only_managers_see_webhooks(api: Api, boss: Speaker, receiver: Receiver) -> None:
    project = boss.project()["id"]
    made = boss.post(f"/projects/{project}/webhooks", json={"url": receiver.url, "events": ["flag.created"]}).json()
    assert made["secret"].startswith("whsec_")
    everything = [
        boss.get(f"/projects/{project}/webhooks").text,
        boss.get(f"/projects/{project}/webhooks/{made['id']}/deliveries").text,
        boss.get("/audit-log").text,
    ]
    assert not any(made["secret"] in text for text in everything)

    reviewer = api.as_("reviewer")
    boss.post(f"/projects/{project}/members", json={"user": "reviewer", "role": "reviewer"})
    stranger = api.as_("stranger")
    path = f"/projects/{project}/webhooks"
    for speaker, expected in ((reviewer, 403), (stranger, 404)):
        assert speaker.get(path).status_code == expected
        assert speaker.get(f"{path}/{made['id']}/deliveries").status_code == expected
        assert speaker.post(f"{path}/{made['id']}/test").status_code == expected
        assert speaker.delete(f"{path}/{made['id']}").status_code == expected
    other = boss.project()["id"]
    assert boss.get(f"/projects/{other}/webhooks/{made['id']}/deliveries").status_code == 404

    assert boss.delete(f"{path}/{made['id']}").status_code == 204
    assert boss.get(path).json()["items"] == []
    with api.db.read() as session:
        actions = [row.action for row in session.query(Event).order_by(Event.id)]
    assert [each for each in actions if each.startswith("webhook")] == ["webhook.created", "webhook.deleted"]


def test_what_was_delivered_long_ago_is_forgotten(api: Api, boss: Speaker, receiver: Receiver) -> None:
    project = boss.project()["id"]
    made = hook(boss, project, receiver)
    for _ in range(2):
        boss.post(f"/projects/{project}/webhooks/{made['id']}/test")
    deliver(api)
    with api.db.write() as session:
        session.execute(update(Delivery).where(Delivery.seq == 1).values(delivered_at=api.db.now() - timedelta(days=8)))

    retention.clear(api.db, api.settings)

    left = boss.get(f"/projects/{project}/webhooks/{made['id']}/deliveries").json()["items"]
    assert [row["seq"] for row in left] == [2]


def test_a_webhook_that_falls_too_far_behind_is_paused(
    api: Api, boss: Speaker, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 3)
    project = boss.project()["id"]
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(6)])
    hook(boss, project, receiver, "flag.created")
    receiver.status = 500
    for n in range(6):
        flag(boss, project, f"k{n}")
        deliver(api)

    shown = boss.get(f"/projects/{project}/webhooks").json()["items"][0]
    assert (shown["active"], shown["waiting"]) == (False, 3)
    assert "wait, as its address does not take them" in shown["reason"]
