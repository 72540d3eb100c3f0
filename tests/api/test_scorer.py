"""A scorer that the service asks over HTTP: in the loop, misbehaving, mended, and large pools."""

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.db import Job, PredictionSet, Round
from app.services import scoring
from labelwise import is_genuine
from tests.api.test_fetches import png
from tests.api.test_loop import pets
from tests.api.test_predictions import answer, served, status
from tests.conftest import Api, Speaker
from tests.scorer import FakeScorer, by_key
from tests.scorer import scoring as scorer_running

SECRET = "sixteen letters!"
sqlite_only = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@pytest.fixture
def scorer() -> Iterator[FakeScorer]:
    with scorer_running() as made:
        yield made


@pytest.fixture
def boss(api: Api, scorer: FakeScorer, monkeypatch: pytest.MonkeyPatch) -> Speaker:
    monkeypatch.setattr(scoring, "PAUSES_SECONDS", (0.05,))
    monkeypatch.setattr(scoring, "LEARNING_SECONDS", 0.05)
    allowed = api.settings.model_copy(update={"allow_fetch_from": f"127.0.0.1:{scorer.port}"})
    api.client.app.state.settings = api.settings = allowed
    return api.as_("boss")


def learner(scorer: FakeScorer, **more: Any) -> dict[str, Any]:
    return {"name": "http", "url": scorer.url, "secret": SECRET, "timeout_seconds": 5, **more}


def waiting(api: Api, boss: Speaker, scorer: FakeScorer, count: int = 60, **more: Any) -> int:
    """A project whose second round is about to be scored."""
    given = {"audit_share": 0, "blind_share": 0, "round_size": 4, "strategy": {"name": "margin"}} | more.pop(
        "given", {}
    )
    project: int = boss.project(learner=learner(scorer, **more), **given)["id"]
    boss.push(project, pets(count))
    api.worker().run_waiting()
    assert (scorer.asked, status(boss, project)["queue"]["round"]) == ([], 1)
    answer(boss, project, 6)
    return project


def change(boss: Speaker, project: int, given: dict[str, Any]) -> Any:
    read = boss.get(f"/projects/{project}")
    return boss.patch(f"/projects/{project}", json={"learner": given}, headers={"If-Match": read.headers["ETag"]})


def until_round(api: Api, boss: Speaker, project: int, number: int) -> None:
    api.run_jobs_until(lambda: status(boss, project)["queue"]["round"] == number)


def next_round(api: Api, boss: Speaker, project: int) -> None:
    before = status(boss, project)["queue"]["round"]
    answer(boss, project, 4)
    until_round(api, boss, project, before + 1)


def said(boss: Speaker, project: int) -> str:
    return str(status(boss, project)["round"]["reason"])


def test_a_due_round_asks_the_scorer_and_follows_it(api: Api, boss: Speaker, scorer: FakeScorer) -> None:
    unsure = {"dog-7": 0.5, "cat-12": 0.52}
    scorer.think = lambda item: (
        {"key": item["key"], "probabilities": {"cat": unsure[item["key"]], "dog": 1 - unsure[item["key"]]}}
        if item["key"] in unsure
        else by_key(item)
    )
    project = waiting(api, boss, scorer, batch=16)
    until_round(api, boss, project, 2)

    second = boss.get(f"/projects/{project}/rounds/2").json()
    first = scorer.asked[0]
    assert (second["state"], second["strategy"], second["model"]) == (
        "done",
        "margin",
        f"127.0.0.1:{scorer.port} round-2",
    )
    assert {key: first[key] for key in ("project", "round", "classes", "multiple")} == {
        "project": "pets", "round": 2, "classes": ["cat", "dog"], "multiple": False,
    }  # fmt: skip
    assert set(first["items"][0]) == {"key", "text"}
    assert [len(each["items"]) for each in scorer.asked] == [16, 16, 16, 12]
    left = unsure.keys() & {row["key"] for row in _items(boss, project, "open")}
    assert set(served(boss, project, len(left))) == left
    assert all(is_genuine(header, body, SECRET) for header, body in scorer.signed)
    [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
    assert lease["suggestion"]["probability"] == (0.52 if left else 0.9) or lease["item"]["key"] == "dog-7"


def test_the_address_is_for_managers_and_the_secret_for_nobody(api: Api, boss: Speaker, scorer: FakeScorer) -> None:
    project = boss.project(learner=learner(scorer))["id"]
    ann = api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "reviewer"})

    mine, theirs = boss.get(f"/projects/{project}"), ann.get(f"/projects/{project}")
    renewed = boss.post(f"/projects/{project}/scorer/secret")
    kept = change(boss, project, {"name": "http", "url": scorer.url, "batch": 9})

    assert mine.json()["learner"] == {"name": "http", "url": scorer.url, "timeout_seconds": 5}
    assert theirs.json()["learner"] == {"name": "http"}
    assert SECRET not in mine.text + theirs.text + kept.text
    assert renewed.json()["secret"].startswith("scsec_")
    assert ann.post(f"/projects/{project}/scorer/secret").status_code == 403
    assert kept.json()["learner"]["batch"] == 9


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "https://10.0.0.1/"}, "not of the public internet"),
        ({"url": "http://127.0.0.1:1/"}, "80 and 443"),
        ({"url": "http://example.org/"}, "begins with https"),
        ({"url": ""}, "address of your scorer"),
        ({"batch": 0}, "from 1 to 2,000"),
        ({"timeout_seconds": float("1e9")}, "from 1 to 600"),
        ({"most": True}, "a whole number"),
        ({"secret": "short"}, "16 to 200"),
        ({"speed": 3}, "no parameter 'speed'"),
    ],
)
@sqlite_only
def test_what_cannot_be_a_scorer_is_refused(
    api: Api, boss: Speaker, scorer: FakeScorer, changes: dict[str, Any], words: str
) -> None:
    body = {"name": "Pets", "modality": "text", "task": {"type": "classification", "classes": ["cat", "dog"]}}

    refused = boss.post("/projects", json={**body, "learner": learner(scorer) | changes})

    assert (refused.status_code, words in refused.json()["detail"]) == (422, True), refused.text


def test_a_scorer_that_learns_is_taught_without_the_audit_answers(api: Api, boss: Speaker, scorer: FakeScorer) -> None:
    scorer.about, scorer.fits = {"trains": True, "training": True, "version": "v1"}, 202
    project = waiting(api, boss, scorer, given={"audit_share": 0.4, "round_size": 20}, count=120)
    answer(boss, project, 20)
    api.run_jobs_until(lambda: "is learning from" in said(boss, project))
    audits = status(boss, project)["audit"]["answers"]
    assert scorer.asked == []

    scorer.about = {"trains": True, "version": "v2"}
    until_round(api, boss, project, 2)

    [lesson] = scorer.lessons
    assert len(lesson["items"]) == 26 - audits
    assert all(item["label"] == {"class": item["key"][:3]} and item["text"] for item in lesson["items"])
    assert boss.get(f"/projects/{project}/rounds/2").json()["metrics"]["accuracy"]["value"] == 1.0
    assert boss.get(f"/projects/{project}/predictions").json()["items"][0]["version"] == "v2/round-2"


def rows_of(change: Callable[[list[dict[str, Any]]], Any]) -> Callable[[bytes], tuple[int, dict[str, str], bytes]]:
    def reply(body: bytes) -> tuple[int, dict[str, str], bytes]:
        rows = [by_key(item) for item in json.loads(body)["items"]]
        return 200, {}, json.dumps({"items": change(rows)}).encode()

    return reply


def first_says(**row: Any) -> Callable[[bytes], tuple[int, dict[str, str], bytes]]:
    return rows_of(lambda rows: [{"key": rows[0]["key"], **row}, *rows[1:]])


def never(_: bytes) -> tuple[int, dict[str, str], bytes]:
    time.sleep(1.5)
    return 200, {}, b"{}"


WRONG = {
    "a broken server": (lambda _: (500, {}, b"SECRET-TRACE"), "answered with status 500"),
    "a redirect": (lambda _: (302, {"Location": "http://127.0.0.1:1/"}, b""), "redirects (status 302)"),
    "not JSON": (lambda _: (200, {}, b"<html>"), "not JSON"),
    "a list": (lambda _: (200, {}, b"[]"), "not an object"),
    "half an answer": (rows_of(lambda rows: rows[:30]), "answered 30 rows for 60 items: 'cat-30' is missing"),
    "others' items": (rows_of(lambda rows: [*rows, {"key": "x"}]), "some were not asked about"),
    "an item twice": (rows_of(lambda rows: [*rows, rows[0]]), "two rows for 'cat-0'"),
    "not a number": (first_says(probabilities={"cat": float("nan")}), "NaN and Infinity are no JSON"),
    "a class of its own": (first_says(probabilities={"cow": 1}), "'cat-0': there is no class 'cow'"),
    "less than nothing": (first_says(probabilities={"cat": 1.5, "dog": -0.5}), "below 0"),
    "a wrong sum": (first_says(probabilities={"cat": 0.2, "dog": 0.2}), "sum to 0.4"),
    "a text": (first_says(probabilities={"cat": "0.2"}), "not a number"),
    "compressed": (lambda _: (200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 9_000_000)), "compressed"),
    "endless": (lambda _: (200, {}, b" " * 30_000), "more than 20,000 bytes"),
    "silence": (never, "took longer than 1 seconds"),
    "half the vectors": (first_says(probabilities={"cat": 1}, features=[1.0]), "features has"),
}


@pytest.mark.night
@sqlite_only
def test_a_scorer_that_misbehaves_is_named_and_asked_again(
    api: Api, boss: Speaker, scorer: FakeScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.asking.ANSWER_BYTES", 20_000)
    scorer.wrong, _ = WRONG["a broken server"]
    project = waiting(api, boss, scorer, timeout_seconds=1)
    before = served(boss, project, 30)

    for name, (wrong, words) in WRONG.items():
        scorer.wrong = wrong
        api.run_jobs_until(lambda words=words: words in said(boss, project))  # type: ignore[misc]
        found = said(boss, project)
        assert "The last order is served" in found, name
        assert "asked again after" in found, name
        assert "SECRET" not in found, name
        assert "/score" not in found, name
    assert served(boss, project, 30) == before  # and nobody waits

    scorer.wrong = None
    until_round(api, boss, project, 2)
    assert len(scorer.keys) == 60


def test_starting_a_round_by_hand_asks_a_failing_scorer_again_at_once(
    api: Api, boss: Speaker, scorer: FakeScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PAUSES_SECONDS", (3600,))
    scorer.wrong = WRONG["a broken server"][0]
    project = waiting(api, boss, scorer)
    api.run_jobs_until(lambda: "asked again after 60 min" in said(boss, project))
    scorer.wrong = None

    started = boss.post(f"/projects/{project}/rounds")
    until_round(api, boss, project, 2)

    assert started.status_code in (200, 201, 202), started.text


def test_a_killed_worker_goes_on_where_it_was(
    api: Api, boss: Speaker, scorer: FakeScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "SLICE_SECONDS", 0.0)  # one request a slice
    project = waiting(api, boss, scorer, batch=10)
    worker = api.worker()
    while len(scorer.asked) < 3:
        assert worker.run_one()

    class Killed(BaseException):
        pass

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(scoring, "_keep", dies)
        with pytest.raises(Killed):
            worker.run_waiting()
    with api.db.write() as session:
        session.query(Job).filter(Job.kind == "score", Job.state == "running").update({"lease_until": api.db.now()})
    until_round(api, boss, project, 2)

    asked = scorer.keys
    assert len(set(asked)) == 60
    assert len(asked) == 70  # the request that was in hand is made once more
    with api.db.read() as session:
        assert session.query(PredictionSet).one().rows == 60


def test_of_a_large_pool_the_new_and_the_least_sure_are_asked_again(
    api: Api, boss: Speaker, scorer: FakeScorer
) -> None:
    close = {"cat-20", "cat-22", "dog-31", "dog-33", "cat-40"}
    even = {"cat": 0.51, "dog": 0.49}
    scorer.think = lambda item: {"key": item["key"], "probabilities": even} if item["key"] in close else by_key(item)
    project = waiting(api, boss, scorer, most=10)
    until_round(api, boss, project, 2)
    assert len(scorer.keys) == 60
    labelled = {row["key"] for row in _items(boss, project, "answered")}
    scorer.asked.clear()

    boss.push(project, [{"key": "cat-new", "text": "a cat, quite new"}])
    api.run_jobs_until(lambda: not status(boss, project)["features"]["busy"])
    next_round(api, boss, project)

    last = [item["key"] for item in scorer.asked[-1]["items"]]
    assert "cat-new" in scorer.keys
    assert labelled <= set(last)
    assert len(last) <= 10 + 10 + 1  # labelled, least sure, new
    left = {row["key"] for row in _items(boss, project, "open")}
    assert close & left <= set(last)
    newest, older = boss.get(f"/projects/{project}/predictions").json()["items"]
    assert newest["rows"] == older["rows"] + len(last)


def _items(boss: Speaker, project: int, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = boss.get(f"/projects/{project}/items", params={"status": state, "limit": 200}).json()[
        "items"
    ]
    return found


@sqlite_only
def test_a_scorer_that_has_not_changed_is_asked_about_what_is_new_only(
    api: Api, boss: Speaker, scorer: FakeScorer
) -> None:
    scorer.about = {"trains": False, "version": "fixed"}
    scorer.think = lambda item: {**(by_key(item) or {}), "features": [1.0, float(len(item["key"]))]}
    project = waiting(api, boss, scorer)
    until_round(api, boss, project, 2)
    scorer.asked.clear()

    next_round(api, boss, project)
    assert scorer.asked == []
    boss.push(project, [{"key": "cat-new", "text": "a cat, quite new"}])
    api.run_jobs_until(lambda: not status(boss, project)["features"]["busy"])
    next_round(api, boss, project)

    assert scorer.keys == ["cat-new"]
    assert len(boss.get(f"/projects/{project}/predictions").json()["items"]) == 2  # older ones are cleared away
    assert len(list((api.settings.data / "predictions" / str(project)).iterdir())) == 2


@sqlite_only
def test_items_of_which_a_scorer_says_nothing_keep_their_places(api: Api, boss: Speaker, scorer: FakeScorer) -> None:
    project = waiting(api, boss, scorer)
    before = served(boss, project, 40)
    kept = [before[0], before[3]]
    scorer.think = lambda item: {"key": item["key"], "probabilities": None} if item["key"] in kept else by_key(item)
    until_round(api, boss, project, 2)

    after = served(boss, project, 40)
    assert (after[0], after[3]) == (before[0], before[3])


@sqlite_only
def test_a_project_that_turns_to_another_learner_leaves_the_scorer_alone(
    api: Api, boss: Speaker, scorer: FakeScorer
) -> None:
    scorer.wrong = WRONG["half an answer"][0]
    project = waiting(api, boss, scorer)
    api.run_jobs_until(lambda: "is missing" in said(boss, project))

    change(boss, project, {"name": "auto"})
    until_round(api, boss, project, 2)
    api.run_jobs()

    with api.db.read() as session:
        assert {job.state for job in session.query(Job).filter(Job.kind == "score")} == {"done"}
        assert session.query(PredictionSet).count() == 0
        assert session.query(Round).filter(Round.number == 2).one().model_file is not None


@sqlite_only
def test_pictures_travel_as_bytes(api: Api, boss: Speaker, scorer: FakeScorer) -> None:
    project = boss.project(learner=learner(scorer), modality="image")["id"]
    files = {"files": ("red.png", png("red"), "image/png")}
    [stored] = boss.post(f"/projects/{project}/media", files=files).json()["media"]
    boss.push(project, [{"key": "cat-1", "image": stored["id"]}])

    tested = boss.post(f"/projects/{project}/scorer/test", json={}).json()

    [item] = scorer.asked[0]["items"]
    assert base64.b64decode(item["image"].pop("bytes")) == png("red")
    assert item == {"key": "cat-1", "image": {"name": "red.png", "type": "image/png"}}
    assert tested["items"] == [{"key": "cat-1", "probabilities": {"cat": 0.9, "dog": 0.1}}]


@sqlite_only
def test_a_scorer_is_tried_before_it_is_relied_on(api: Api, boss: Speaker, scorer: FakeScorer) -> None:
    project = boss.project()["id"]
    boss.push(project, pets(10))
    given = {"learner": learner(scorer)}
    early = {**given, "items": [{"text": "a cat"}], "classes": ["cat", "dog"]}

    good = boss.post(f"/projects/{project}/scorer/test", json=given).json()
    first = boss.post("/scorer/test", json=early).json()
    none = boss.post(f"/projects/{project}/scorer/test", json={})
    scorer.wrong = first_says(probabilities={"cow": 1})
    bad = boss.post(f"/projects/{project}/scorer/test", json=given).json()
    scorer.wrong, scorer.about = (lambda _: (409, {}, b"")), {"trains": True}
    untaught = boss.post(f"/projects/{project}/scorer/test", json=given).json()

    assert (good["fault"], [item["key"] for item in good["items"]]) == (None, ["cat-0", "dog-1", "cat-2"])
    assert first["items"] == [{"key": "1", "probabilities": {"dog": 0.9, "cat": 0.1}}]
    assert (none.status_code, "asks no scorer" in none.json()["detail"]) == (409, True)
    assert bad["fault"] == "'cat-0': there is no class 'cow'"
    assert (untaught["fault"], untaught["trains"], untaught["items"]) == (None, True, [])
