"""The server serves what the simulation says: the same seed, vectors and answers give the same order over REST."""

from typing import Any

import numpy as np
import pytest

from app.featurizers import make_featurizer
from app.loop.sets import Dataset
from app.loop.simulate import ROUND_SIZE, Run, simulate
from tests.conftest import Api

CLASSES = ("ant", "bee", "cow", "dog")
ANSWERS = 120


def made(rows: int = 500, width: int = 12) -> tuple[list[Any], Dataset]:
    """Noisy clusters, three to a class: the vectors as a client pushes them, and the set as a project reads them."""
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(3 * len(CLASSES), width))
    cluster = rng.integers(0, len(centers), 2 * rows)
    vectors = (centers[cluster] + 0.7 * rng.normal(size=(2 * rows, width))).astype(np.float32)
    labels = cluster % len(CLASSES)
    client = make_featurizer("client", {})
    block = client.transform(list(vectors), client.fit(list(vectors)))
    first, rest = np.arange(rows), np.arange(rows, 2 * rows)
    return vectors[:rows].tolist(), Dataset(
        "made", "table", CLASSES, block.take(first), labels[:rows], block.take(rest), labels[rows:]
    )


def served(api: Api, vectors: list[Any], data: Dataset, seed: int) -> list[int]:
    """Push the vectors, answer rightly, run a round after every batch; the rows in the order in which they came."""
    boss = api.as_("boss")
    project = boss.project(list(CLASSES), seed=seed, modality="table", round_size=ROUND_SIZE, audit_share=0.1)["id"]
    rows = [
        {"key": key, "row": {"number": number}, "features": vectors[number]} for number, key in enumerate(data.keys)
    ]
    assert boss.push(project, rows)["created"] == len(rows)
    order: list[int] = []
    while len(order) < ANSWERS:
        api.run_jobs()
        for _ in range(ROUND_SIZE):
            [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
            row = int(lease["item"]["key"].removeprefix("item-"))
            body = {"lease": lease["id"], "label": {"class": CLASSES[data.labels[row]]}}
            assert boss.post("/annotations", json=body).status_code == 201
            order.append(row)
    return order


@pytest.mark.night
@pytest.mark.parametrize(("db", "seed"), [("sqlite", 7), ("postgresql", 8)], indirect=["db"])
def test_served_order_equals_the_simulated_one(api: Api, seed: int) -> None:
    vectors, data = made()
    run: Run = simulate(data, "auto", seed, labels=ANSWERS)
    assert served(api, vectors, data, seed) == run.order
    assert run.audit_labels > 0


def test_another_seed_serves_another_order() -> None:
    _, data = made()
    orders: list[Any] = [simulate(data, "auto", seed, labels=ANSWERS).order for seed in (7, 8)]
    assert orders[0] != orders[1]
