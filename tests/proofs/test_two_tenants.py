"""I14 and I23: what others do changes no byte of an answer, and the same data with the same seed give the same order.

One script is run twice, the second time beside another project full of the same keys, words and names. The answers must
be equal but for the numbers that rows are given and for times.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import Api, Speaker
from tests.proofs.test_state_machine import world_on
from tests.proofs.world import World

GIVEN = {"id", "lease", "seq", "answer", "request_id", "job", "job_id", "after", "version_token", "version", "next"}
TIMES = {"age_seconds", "retry_after_seconds", "seconds", "last_seen", "took", "expires_in", "updated"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(\+00:00|Z)")
CANARY = "zebra-of-somebody-else"
READS = (
    "", "/status", "/items", "/items?q=text", "/items?status=answered", "/items?class=cat", "/items?sort=-updated",
    "/items?metadata.source=web", "/classes", "/members", "/rounds", "/queue?limit=20", "/annotations?after=0",
    "/export?format=jsonl&view=items", "/export?format=csv&view=annotations", "/flags", "/snapshots", "/webhooks",
    "/guidelines", "/agreement", "/mine", "/items?q=zebra", "/numbers",
)  # fmt: skip


def plain(value: Any, name: str = "") -> Any:
    """An answer without the numbers that rows are given and without times."""
    if name in GIVEN | TIMES:
        return "#" if value is not None else None
    if isinstance(value, dict):
        return {key: plain(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 6)
    return MOMENT.sub("T", value) if isinstance(value, str) else value


def seen(answer: Any) -> tuple[int, Any]:
    """Status and content of an answer."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("application/json"):
        return answer.status_code, plain(answer.json())
    if "jsonl" in kind or "ndjson" in kind:
        return answer.status_code, [plain(json.loads(line)) for line in answer.text.splitlines()]
    return answer.status_code, MOMENT.sub("T", re.sub(r"(?m)^\d+,", "#,", answer.text))


def begun(api: Api, name: str, owner: str, words: str) -> tuple[Speaker, Speaker, int]:
    """A project with a manager, an annotator and thirty items."""
    manager, annotator = api.as_(owner), api.as_(f"{owner}-helper")
    project = manager.project(name=name, round_size=4, overlap=2)["id"]
    manager.post(f"/projects/{project}/members", json={"user": f"{owner}-helper", "role": "annotator"})
    rows = [
        {
            "key": f"k{n}",
            "text": f"{words} {n} {'meow' if n % 2 else 'bark'}",
            "metadata": {"source": ("web", "mail")[n % 2]},
        }
        for n in range(30)
    ]
    manager.push(project, rows)
    return manager, annotator, project


def run_jobs(world: World) -> None:
    """Run what waits, also behind the pause between two rounds."""
    for _ in range(2):
        world.advance(70)
        world.worker().run_waiting()


def works(world: World, manager: Speaker, annotator: Speaker, project: int, count: int) -> list[Any]:
    """People label, leave notes, correct; a worker trains; everything that they are answered."""
    heard = []
    for who in (manager, annotator):
        answer = who.post(f"/projects/{project}/leases", json={"count": count})
        heard.append(seen(answer))
        for lease in answer.json()["leases"]:
            label = {"class": "cat" if "meow" in lease["item"]["text"] else "dog"}
            heard.append(seen(who.post("/annotations", json={"lease": lease["id"], "label": label})))
        heard.append(seen(who.post(f"/projects/{project}/leases", json={"count": 1})))
    run_jobs(world)
    return heard


def script(world: World, *, beside_others: bool) -> list[Any]:
    """The whole story of one project."""
    manager, annotator, project = begun(world.api, "Pets", "mia", "text")
    if beside_others:
        other, helper, foreign = begun(world.api, "Pets", "zoe", CANARY)
        works(world, other, helper, foreign, 8)
        other.post(f"/projects/{foreign}/classes", json={"name": CANARY})
        other.post(f"/projects/{foreign}/leases", json={"count": 3})
    else:
        run_jobs(world)
    heard = works(world, manager, annotator, project, 6)
    for who in (manager, annotator):
        heard += [(path, *seen(who.get(f"/projects/{project}{path}"))) for path in READS]
        heard.append(seen(who.get("/projects")))
    return heard


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_others_do_changes_no_answer(kind: str, client: TestClient, tmp_path: Path) -> None:
    heard = []
    for beside_others in (False, True):
        world = world_on(kind, client, tmp_path / str(beside_others))
        heard.append(script(world, beside_others=beside_others))
        world.close()

    alone, beside = heard
    assert len(alone) > 60
    for one, other in zip(alone, beside, strict=True):
        assert one == other
    assert CANARY not in str(beside)


def test_the_same_data_with_the_same_seed_give_the_same_order_on_both_databases(
    client: TestClient, tmp_path: Path
) -> None:
    orders = []
    for number, kind in enumerate(("sqlite", "sqlite", "postgresql")):
        world = world_on(kind, client, tmp_path / str(number))
        manager, annotator, project = begun(world.api, "Pets", "mia", "text")
        run_jobs(world)
        works(world, manager, annotator, project, 6)
        queue = manager.get(f"/projects/{project}/queue", params={"limit": 50}).json()["items"]
        items = manager.get(f"/projects/{project}/export", params={"format": "jsonl", "view": "items"}).text
        shares = [(row["key"], row["reserved"]) for row in map(json.loads, items.splitlines())]
        orders.append(([(each["key"], each["score"]) for each in queue], shares))
        world.close()

    assert len(orders[0][0]) > 10
    assert orders[0] == orders[1] == orders[2]
