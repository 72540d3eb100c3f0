"""Does the loop learn? Real questions (TREC) over REST, judged by a model that Labelwise does not know.

The real set is no part of the repository: it is read where LABELWISE_DATA_SETS (or the folder beside the checkout)
has it. A made set with rare classes is tried in tests/proofs/test_rare_topics.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.datasets import folder, raw
from tests.conftest import Api, Speaker

ANSWERS, ROUND_SIZE, POOL = 300, 30, 3_000
DRAWS = 10  # of random answers, to compare with their mean


@dataclass(frozen=True)
class Texts:
    """A labelled pool and held-out texts."""

    pool: Sequence[str]
    labels: Sequence[str]
    test: Sequence[str]
    test_labels: Sequence[str]

    @property
    def classes(self) -> list[str]:
        return sorted(set(self.labels))


def trec() -> Texts:
    if not (folder() / "load.py").exists():
        pytest.skip("the TREC questions are not here: set LABELWISE_DATA_SETS")
    _, pool, labels = raw("trec", "train")
    _, test, test_labels = raw("trec", "test")
    return Texts(pool[:POOL], labels[:POOL], test, test_labels)


def made() -> Texts:
    """Eight topics whose frequencies halve from one to the next, told apart by their words."""
    rng = np.random.default_rng(5)
    shares = 0.5 ** np.arange(1, 9)
    topics = rng.choice(8, size=POOL + 800, p=shares / shares.sum())
    topics[POOL:] = np.arange(800) % 8  # the judge cares for every topic alike
    texts = []
    for topic in topics:
        own = [f"t{topic}w{word}" for word in rng.zipf(1.6, size=2) % 40]
        common = [f"c{word}" for word in rng.zipf(1.4, size=8) % 300]
        texts.append(" ".join(rng.permutation([*own, *common])))
    names = [f"topic {topic}" for topic in topics]
    return Texts(texts[:POOL], names[:POOL], texts[POOL:], names[POOL:])


def judge(texts: Texts, rows: Sequence[int]) -> float:
    """Accuracy on the held-out texts of a model that learned from some rows of the pool."""
    outsider = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=500))
    outsider.fit([texts.pool[row] for row in rows], [texts.labels[row] for row in rows])
    return float(outsider.score(texts.test, texts.test_labels))


def start(boss: Speaker, texts: Texts, **given: object) -> int:
    project: int = boss.project(texts.classes, round_size=ROUND_SIZE, **given)["id"]
    rows = [{"key": f"row-{number}", "text": text} for number, text in enumerate(texts.pool)]
    assert boss.push(project, rows)["created"] == len(rows)
    return project


def take(boss: Speaker, project: int, count: int) -> list[dict]:
    served = boss.post(f"/projects/{project}/leases", json={"count": count}).json()
    assert served["state"] == "serving", served
    leases: list[dict] = served["leases"]
    return leases


def row_of(lease: dict) -> int:
    return int(lease["item"]["key"].removeprefix("row-"))


def answer(boss: Speaker, project: int, labels: Sequence[str], count: int) -> list[int]:
    """Label the next `count` items; their rows."""
    rows = []
    for _ in range(count):
        [lease] = take(boss, project, 1)
        rows.append(row_of(lease))
        body = {"lease": lease["id"], "label": {"class": labels[rows[-1]]}, "seconds_spent": 1}
        stored = boss.post("/annotations", json=body, headers={"Idempotency-Key": str(uuid4())})
        assert stored.status_code == 201, stored.text
    return rows


def queue(boss: Speaker, project: int) -> list[int]:
    """The next fifty items as they would be served, given back at once."""
    rows = [row_of(lease) for lease in take(boss, project, 50)]
    assert boss.delete(f"/projects/{project}/leases").status_code == 204
    return rows


@pytest.mark.night
@pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # what is learned does not depend on where rows lie
def test_three_hundred_answers_beat_as_many_random_ones(api: Api) -> None:
    beat_random(api, trec())


def beat_random(api: Api, texts: Texts) -> None:
    boss = api.as_("boss")
    project = start(boss, texts)
    rows: list[int] = []
    while len(rows) < ANSWERS:
        api.run_jobs()
        rows += answer(boss, project, texts.labels, ROUND_SIZE)
    assert len(set(rows)) == ANSWERS
    rng = np.random.default_rng(0)
    others = [judge(texts, list(rng.choice(POOL, ANSWERS, replace=False))) for _ in range(DRAWS)]
    assert judge(texts, rows) > float(np.mean(others)) + 0.01, (judge(texts, rows), others)


def test_answers_change_the_order_and_corrections_change_it_again(api: Api) -> None:
    """A fixed order passes neither comparison: the rest of it would stay as it was."""
    texts = made()
    boss = api.as_("boss")
    project = start(boss, texts, audit_share=0)
    api.run_jobs()
    before = queue(boss, project)
    rows = answer(boss, project, texts.labels, ROUND_SIZE)
    assert rows == before[:ROUND_SIZE]  # what was shown is what is served
    assert queue(boss, project)[: 50 - ROUND_SIZE] == before[ROUND_SIZE:]  # and it stays until a round is published
    api.run_jobs()
    after = queue(boss, project)
    assert not set(after) & set(rows)
    assert after[: 50 - ROUND_SIZE] != before[ROUND_SIZE:]

    wrong = texts.classes[0]
    for stored in boss.get(f"/projects/{project}/export", params={"format": "jsonl"}).text.splitlines():
        given = json.loads(stored)
        if given["label"]["class"] != wrong:
            path, version = f"/annotations/{given['id']}", {"If-Match": "1"}
            corrected = boss.put(path, json={"label": {"class": wrong}}, headers=version)
            assert corrected.status_code == 200, corrected.text
    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    api.run_jobs()
    assert queue(boss, project) != after
