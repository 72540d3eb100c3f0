"""A model of one's own beside the built-in learner: `python -m benchmarks.own_model [--answers 300] [--seeds 3]`.

ag_news over REST on SQLite, server and worker in processes of their own. A simulated annotator gives the true label of
what is served, 20 answers a round; in one arm the service learns, in the other one `learn_with` and a scikit-learn
pipeline of TF-IDF and logistic regression in this process. Both are judged by the service on the same 1,000 test items.
Prints the accuracy by answers and the seconds of a round.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from app.core.settings import Settings
from app.db.migrate import migrate
from benchmarks.datasets import POOL_ROWS, raw
from benchmarks.imports import SERVER, free_port, make_token
from labelwise import Client, LabelwiseError, Project

ROOT = Path(__file__).resolve().parents[1]
ROUND, TEST_ROWS = 20, 1_000
ARMS = {"built-in": "auto", "learn_with": "external"}


def main() -> None:
    """Run both arms for every seed and print two tables."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--answers", type=int, default=300)
    given.add_argument("--seeds", type=int, default=3)
    options = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="labelwise-own-") as folder:
        settings = Settings(data=Path(folder), _env_file=None)
        migrate(settings.url)
        token, port = make_token(settings), free_port()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        server = [sys.executable, "-c", SERVER, folder, "", str(port)]
        worker = [sys.executable, "-m", "labelwise", "worker", "--data", folder]
        processes = [subprocess.Popen(each, cwd=ROOT, env=environment) for each in (server, worker)]
        try:
            found = {
                name: [
                    _run(f"http://127.0.0.1:{port}", token, name, seed, options.answers)
                    for seed in range(options.seeds)
                ]
                for name in ARMS
            }
        finally:
            for each in processes:
                each.terminate()
                each.wait()
    _print(found)


def _run(url: str, token: str, arm: str, seed: int, answers: int) -> list[tuple[int, float | None, float]]:
    """Answers so far, accuracy on the test items, and seconds of the round, round by round."""
    texts, labels = raw("ag_news", "train")[1:]
    truth = {f"row-{number}": label for number, label in enumerate(labels[:POOL_ROWS])}
    test, test_labels = raw("ag_news", "test")[1:]
    client, other = _client(url, token), _client(url, token)
    body = {
        "modality": "text",
        "task": {"type": "classification", "classes": sorted(set(labels))},
        "learner": {"name": ARMS[arm]},
        "round_size": ROUND,
        "seed": seed,
    }
    project = client.project(f"{arm}-{seed}", create=body)
    project.push([{"key": f"row-{number}", "text": text} for number, text in enumerate(texts[:POOL_ROWS])])
    judged = list(zip(test, test_labels, strict=True))[:TEST_ROWS]
    project.push([{"text": text, "label": label, "split": "audit"} for text, label in judged])
    outside: list[dict[str, Any]] = []
    if arm != "built-in":
        mine = other.project(project.id)
        threading.Thread(
            target=mine.learn_with, args=(fit_predict,), kwargs={"progress": outside.append}, daemon=True
        ).start()
    _settle(project)
    points = []
    for given in range(ROUND, answers + 1, ROUND):
        before = project.status()["queue"]["round"]
        begun = time.monotonic()
        _answer(project, truth)
        row = _next_round(project, before)
        seconds = row["seconds"]["to_published"] if arm == "built-in" else _outside(outside, row["number"])
        accuracy = (row["metrics"] or {}).get("accuracy")
        points.append((given, accuracy["value"] if accuracy else None, float(seconds)))
        print(f"{arm} seed {seed}: {points[-1]} after {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    return points


def _outside(served: list[dict[str, Any]], number: int) -> float:
    """How long a round took whose model was outside, from due to judged."""
    while True:
        for each in served:
            if each["number"] == number:
                return float(each["seconds_all"])
        time.sleep(0.05)


def fit_predict(items: list[Any], labels: list[Any], pool: Iterator[list[Any]]) -> Iterator[Any]:
    """The pipeline of examples/own_model.py, with pairs of words as the built-in features have them."""
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(C=20, max_iter=500)
    )
    model.fit([item["text"] for item in items], labels)
    for chunk in pool:
        yield model.classes_, model.predict_proba([item["text"] for item in chunk])


def _client(url: str, token: str) -> Client:
    client = Client(url, token)
    for _ in range(300):
        try:
            client.projects()
        except LabelwiseError:
            time.sleep(0.1)
        else:
            break
    return client


def _settle(project: Project) -> None:
    """Wait until the first orders are made and nothing is on its way."""
    quiet = 0
    while quiet < 5:
        status = project.status()
        busy = status["features"]["busy"] or status["round"]["state"] in ("running", "waiting", "published")
        quiet = 0 if busy or status["queue"]["round"] is None else quiet + 1
        time.sleep(0.2)


def _answer(project: Project, truth: dict[str, str]) -> None:
    for _ in range(ROUND):
        [lease] = project.lease(1)
        lease.submit(truth[lease.item["key"]], seconds_spent=1.0)


def _next_round(project: Project, before: int | None) -> dict[str, Any]:
    """The newest round behind one, once it is judged."""
    while True:
        [row] = project.rounds()[:1]
        if row["number"] != before and row["state"] == "done":
            return row
        time.sleep(0.1)


def _print(found: dict[str, list[list[tuple[int, float | None, float]]]]) -> None:
    print("| answers | " + " | ".join(found) + " |")
    print("|---|" + "---|" * len(found))
    for place in range(2, len(next(iter(found.values()))[0]), 3):
        answers = next(iter(found.values()))[0][place][0]
        cells = [" / ".join(_said(run[place][1]) for run in runs) for runs in found.values()]
        print(f"| {answers} | " + " | ".join(cells) + " |")
    print("\n| arm | rounds | median seconds of a round | slowest |")
    print("|---|---|---|---|")
    for name, runs in found.items():
        seconds = [seconds for run in runs for _, _, seconds in run]
        print(f"| {name} | {len(seconds)} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |")


def _said(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy:.1f}"


if __name__ == "__main__":
    main()
