"""The demo's project, its reset and its race, and the pages that show it, on both databases."""

import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sklearn.datasets import load_digits
from sqlalchemy import func, select

from app.core.secrets import hashed
from app.core.settings import Settings
from app.db import Annotation, Database, Item, Project, Round
from app.services import demo, holders, racing
from tests import databases
from tests.conftest import Api, Demo, Speaker, serving

DIGITS = load_digits().target


@pytest.fixture
def visited(client: TestClient, settings: Settings, prepared_demo: Demo) -> Iterator[Api]:
    """The application on a copy of the demo with its first order made; SQLite."""
    prepared_demo.copy_to(settings.data)
    db = Database(settings.url)
    databases.share_statements(db)
    yield serving(client, db, settings)
    db.dispose()


def label(speaker: Speaker, project_id: int, count: int) -> None:
    """Answer items as the people who wrote them would."""
    for lease in speaker.post(f"/projects/{project_id}/leases", json={"count": count}).json()["leases"]:
        digit = str(DIGITS[int(lease["item"]["key"].removeprefix("digit-"))])
        body = {"lease": lease["id"], "label": {"class": digit}, "seconds_spent": 1.5}
        assert speaker.post("/annotations", json=body).status_code == 201


def work(api: Api, project_id: int, rounds: int) -> None:
    """Let the worker run until so many rounds are done; it pauses between two as long as the first one took."""
    until = time.monotonic() + 60
    done = select(func.count()).where(Round.project_id == project_id, Round.state == "done")
    while time.monotonic() < until:
        api.run_jobs()
        with api.db.read() as session:
            if session.execute(done).scalar_one() >= rounds:
                return
        time.sleep(0.05)
    raise AssertionError(f"there are no {rounds} rounds after a minute")


def page(api: Api, speaker: Speaker, method: str, path: str, body: dict[str, int] | None = None) -> tuple[int, str]:
    """Ask for a page of the site, or press one of its buttons."""
    answer = api.client.request(method, path, headers=speaker.headers, json=body, follow_redirects=False)
    return answer.status_code, answer.text


def test_the_demo_is_made_once_with_300_judged_digits_and_hidden_from_others(api: Api) -> None:
    first = demo.ensure_demo(api.db, api.settings)

    assert demo.ensure_demo(api.db, api.settings) == first
    boss = api.user("ada", admin=True)
    assert demo.ensure_demo(api.db, api.settings, boss) == (first[0], boss)

    with api.db.read() as session:
        splits = dict(session.execute(select(Item.split, func.count()).group_by(Item.split)).all())
        known = session.execute(select(Annotation.label, Item.key).join(Item, Item.id == Annotation.item_id)).all()
        assert session.execute(select(func.count()).select_from(Project)).scalar_one() == 1
    assert splits == {"audit": 300, "pool": 1_497}
    assert len(known) == 300
    for stored, key in known:
        assert stored == {"label": {"class_id": int(DIGITS[int(key.removeprefix("digit-"))]) + 1}}

    bea = api.as_("bea")
    for section in ("overview", "watch", "people", "export", "settings"):
        path = f"/projects/{first[0]}/{section}"
        stranger = api.client.get(path, headers={"Accept": "text/html"}, follow_redirects=False)
        assert (stranger.status_code, stranger.headers["location"]) == (303, f"/sign-in?next={path}")
        assert page(api, bea, "GET", path)[0] == 404


def test_a_digit_is_served_as_a_picture_of_8_pixels_with_a_reason_in_words(visited: Api, prepared_demo: Demo) -> None:
    project_id, boss = prepared_demo.project_id, visited.as_("boss")

    lease = boss.post(f"/projects/{project_id}/leases", json={"count": 1}).json()["leases"][0]

    image = lease["item"]["image"]
    assert (image["width"], image["height"]) == (8, 8)
    picture = visited.client.get(image["url"], headers=boss.headers)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert lease["reason"]["words"] == "unlike anything labelled so far"


def test_pictures_are_disturbed_and_the_loss_is_told(visited: Api, prepared_demo: Demo) -> None:
    project_id, boss = prepared_demo.project_id, visited.as_("boss")
    label(boss, project_id, 20)

    work(visited, project_id, 2)

    found = boss.get(f"/projects/{project_id}/overview").json()
    kinds = {each["name"]: each["loss"] for each in found["robustness"]["kinds"]}
    assert list(kinds) == ["noise", "blur", "dark"]
    assert all(each["n"] == 60 and each["low"] <= each["value"] <= each["high"] for each in kinds.values())
    assert kinds["blur"]["low"] > 0  # of a picture of eight pixels a blurred one says little
    assert found["words"]["robustness"].startswith("Disturbed most by blur")


@pytest.mark.night
def test_ten_answers_give_a_true_accuracy_and_ten_piles_and_a_reset_erases_them_but_not_the_test_set(api: Api) -> None:
    project_id, _ = demo.ensure_demo(api.db, api.settings)
    boss = api.as_("boss")
    status, text = page(api, boss, "POST", f"/projects/{project_id}/demo/race")
    assert (status, "still being read" in text) == (409, True)
    api.run_jobs()
    label(boss, project_id, 10)

    work(api, project_id, 2)

    found = boss.get(f"/projects/{project_id}/overview").json()
    point = found["curve"][-1]
    assert (point["labels"], point["stratum"]) == (10, "imported")
    assert point["accuracy"]["n"] == 300
    assert point["accuracy"]["low"] < point["accuracy"]["value"] < point["accuracy"]["high"]
    assert found["words"]["goal"].startswith("10 labels")
    wall = boss.get(f"/projects/{project_id}/wall", params={"count": 200}).json()
    assert sum(len(pile["items"]) for pile in wall["piles"]) == 200

    status, _ = page(api, boss, "POST", f"/projects/{project_id}/demo/reset")
    work(api, project_id, 1)

    assert status == 204
    found = boss.get(f"/projects/{project_id}/overview").json()
    assert found["status"]["items"]["answered"] == 0
    assert [each["number"] for each in found["rounds"]] == [1]
    with api.db.read() as session:
        assert session.execute(select(func.count()).select_from(Annotation)).scalar_one() == 300


def test_only_the_demo_can_be_reset_and_raced(api: Api) -> None:
    boss = api.as_("boss")
    own = boss.project()
    boss.push(own["id"], [{"text": "a"}, {"text": "b"}])

    for button in ("reset", "race"):
        status, text = page(api, boss, "POST", f"/projects/{own['id']}/demo/{button}")
        assert (status, "in the demo only" in text) == (409, True)
    assert boss.get(f"/projects/{own['id']}/status").json()["items"]["total"] == 2


def test_the_race_parts_two_curves_and_stores_no_answer(visited: Api, prepared_demo: Demo) -> None:
    project_id, boss = prepared_demo.project_id, visited.as_("boss")
    rounds = boss.get(f"/projects/{project_id}/rounds").json()["items"]
    with visited.db.write() as session:
        secret = hashed(boss.headers["Authorization"].split()[1])
        person, _ = holders.by_tokens(session, [secret], visited.db.now())[secret]
        job = racing.start(session, person, project_id, 40)
        assert racing.start(session, person, project_id, 40) == job

    visited.run_jobs()

    with visited.db.read() as session:
        race = racing.last(session, person, project_id)
        assert session.execute(select(func.count()).select_from(Annotation)).scalar_one() == 300
        assert session.execute(select(func.count()).select_from(Round)).scalar_one() == len(rounds)
    assert race["state"] == "done"
    chosen, random = race["points"]["chosen"], race["points"]["random"]
    assert [each["labels"] for each in chosen] == [each["labels"] for each in random] == [10, 20, 30, 40]
    assert chosen[-1]["accuracy"]["low"] > random[-1]["accuracy"]["high"]


def test_the_cards_show_progress_and_the_course_of_the_accuracy(visited: Api, prepared_demo: Demo) -> None:
    project_id, boss = prepared_demo.project_id, visited.as_("boss")
    for rounds in (2, 3):
        label(boss, project_id, 10)
        work(visited, project_id, rounds)

    status, text = page(visited, boss, "GET", "/projects")

    assert status == 200
    assert "20 of 1,497 labelled" in text
    assert "% right" in text
    assert "Continue" in text


def test_a_parquet_file_is_shown_and_a_broken_one_is_refused(api: Api) -> None:
    boss = api.as_("boss")
    headers = boss.headers | {"Content-Type": "application/vnd.apache.parquet"}

    broken = api.client.post("/projects/new/parquet", content=b"PAR1 and nothing", headers=headers)

    assert broken.status_code == 422
    assert "not a Parquet file" in broken.json()["detail"]
