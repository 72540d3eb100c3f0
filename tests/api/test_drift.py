"""New items that are like the earlier ones, and such that are not: said in the round, to people, lists and webhooks."""

import random
from typing import Any

import pytest
from sqlalchemy import select

from app.db import Delivery
from tests.api.test_overview import answer
from tests.conftest import Api

EARLIER = ("house", "garden", "river", "stone", "bread", "winter", "window", "letter")
OTHERS = ("Rechnung", "Mahnung", "Konto", "Frist", "Betrag", "Zahlung", "Steuer", "Anlage")


def texts(first: int, count: int, words: tuple[str, ...] = EARLIER) -> list[dict[str, Any]]:
    """Texts of both classes; the key says which one it is."""
    rng = random.Random(first)
    rows = []
    for number in range(first, first + count):
        name, word = ("cat", "purring") if number % 2 else ("dog", "barking")
        rows.append({"key": f"{name}-{number}", "text": " ".join([word, *rng.choices(words, k=8)])})
    return rows


@pytest.mark.night
def test_items_that_look_unlike_the_earlier_ones_raise_an_alarm_that_labels_end(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.3, blind_share=0, round_size=10)["id"]
    hook = {"url": "https://example.com/hook", "events": ["drift.found"]}
    assert boss.post(f"/projects/{project}/webhooks", json=hook).status_code == 201
    boss.push(project, texts(0, 120))
    api.run_jobs()
    answer(boss, project, 40)
    api.run_jobs()
    boss.push(project, texts(1_000, 20))
    api.run_jobs()
    few = boss.get(f"/projects/{project}/overview").json()
    boss.push(project, texts(2_000, 40))
    api.run_jobs()
    same = boss.get(f"/projects/{project}/overview").json()
    boss.push(project, texts(3_000, 90, OTHERS))
    api.run_jobs()

    loud = boss.get(f"/projects/{project}/overview").json()

    assert "20 items came in since round" in few["words"]["drift"]
    assert few["words"]["drift"].endswith("from 30 on they are compared with the earlier ones.")
    assert "no sign that they differ" in same["words"]["drift"]
    assert same["drift"] == {"alarm": False, "items": 0}
    assert loud["drift"]["alarm"] is True
    assert loud["words"]["drift"].startswith("The 150 items that came in since round")
    behind = boss.get(f"/projects/{project}/items", params={"drifted": "true", "limit": 200}).json()["items"]
    assert len(behind) == loud["drift"]["items"] > 30
    strange = [each for each in behind if int(each["key"].split("-")[1]) >= 3_000]
    assert len(strange) > 0.9 * len(behind)
    with api.db.read() as session:
        told = session.execute(select(Delivery.data).where(Delivery.event == "drift.found")).scalars().all()
    assert [each["items"] for each in told] == [150]  # once, however many rounds follow

    boss.push(project, [{"key": each["key"], "label": {"class": each["key"][:3]}} for each in behind[:31]])
    answer(boss, project, 10)
    api.run_jobs()
    after = boss.get(f"/projects/{project}/overview").json()
    assert after["drift"] == {"alarm": False, "items": 0}
    assert boss.get(f"/projects/{project}/items", params={"drifted": "true"}).json()["items"] == []
