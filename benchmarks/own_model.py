"""A model of one's own beside the built-in learner: `python -m benchmarks.own_model [--encoder FOLDER] [--seeds 3]`.

ag_news over REST on SQLite, server and worker in processes of their own. A simulated annotator gives the true label of
what is served, 20 answers a round. The arms: the service learns from word n-grams, `learn_with` and a scikit-learn
pipeline of TF-IDF and logistic regression in this process; with --encoder, a folder with a sentence encoder (see
benchmarks/README.md), also the service with its featurizer onnx-text, and `learn_with` and logistic regression on the
same encoder's vectors. All are judged by the service on the same test items. Prints the accuracy by answers and the
seconds of a round; --csv keeps every figure.
"""

import argparse
import csv
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

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from app.core.settings import Settings
from app.db.migrate import migrate
from app.featurizers import make_featurizer
from benchmarks.datasets import POOL_ROWS, raw
from benchmarks.imports import SERVER, free_port, make_token
from labelwise import Client, LabelwiseError, Project

ROOT = Path(__file__).resolve().parents[1]
ROUND, TEST_ROWS = 20, 1_000
SHOWN = 5  # a line of the table for so many rounds: 100 answers
OWN, ENCODED = "learn_with, TF-IDF", "learn_with, encoder"
Points = list[tuple[int, float | None, float]]  # answers, accuracy, seconds of the round


def main() -> None:
    """Run both arms for every seed and print two tables."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--answers", type=int, default=300)
    given.add_argument("--seeds", type=int, default=3)
    given.add_argument("--encoder", help="the folder of a sentence encoder, with its encoder.json")
    given.add_argument("--items", type=int, default=POOL_ROWS)
    given.add_argument("--test", type=int, default=TEST_ROWS)
    given.add_argument("--only", default="", help="only the arms whose name holds this")
    given.add_argument("--csv", type=Path, help="write every figure of every run there")
    options = given.parse_args()
    arms: dict[str, dict[str, Any]] = {"built-in, n-grams": {}, OWN: {"learner": {"name": "external"}}}
    if options.encoder:
        arms["built-in, encoder"] = {"featurizer": {"name": "onnx-text", "model": options.encoder}}
        arms[ENCODED] = {"learner": {"name": "external"}}
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
                    _run(f"http://127.0.0.1:{port}", token, name, settings_of, seed, options)
                    for seed in range(options.seeds)
                ]
                for name, settings_of in arms.items()
                if options.only in name
            }
        finally:
            for each in processes:
                each.terminate()
                each.wait()
    _print(found)
    if options.csv:
        _write(options.csv, found)


def _run(url: str, token: str, arm: str, settings_of: dict[str, Any], seed: int, options: argparse.Namespace) -> Points:
    """Answers so far, accuracy on the test items, and seconds of the round, round by round."""
    texts, labels = raw("ag_news", "train")[1:]
    truth = {f"row-{number}": label for number, label in enumerate(labels[: options.items])}
    test, test_labels = raw("ag_news", "test")[1:]
    client, other = _client(url, token), _client(url, token)
    body = {
        "modality": "text",
        "task": {"type": "classification", "classes": sorted(set(labels))},
        "round_size": ROUND,
        "seed": seed,
        **settings_of,
    }
    project = client.project(f"{arm}-{seed}".replace(", ", "-").replace("_", "-").lower(), create=body)
    project.push([{"key": f"row-{number}", "text": text} for number, text in enumerate(texts[: options.items])])
    judged = list(zip(test, test_labels, strict=True))[: options.test]
    project.push([{"text": text, "label": label, "split": "audit"} for text, label in judged])
    outside: list[dict[str, Any]] = []
    pushed = time.monotonic()
    if arm in (OWN, ENCODED):
        mine = other.project(project.id)
        model = fit_predict if arm == OWN else Encoded(options.encoder)
        threading.Thread(
            target=mine.learn_with, args=(model,), kwargs={"progress": outside.append}, daemon=True
        ).start()
    _settle(project)
    print(f"{arm} seed {seed}: first order after {time.monotonic() - pushed:.1f} s", file=sys.stderr, flush=True)
    points = []
    for given in range(ROUND, options.answers + 1, ROUND):
        before = project.status()["queue"]["round"]
        begun = time.monotonic()
        _answer(project, truth)
        row = _next_round(project, before)
        seconds = _outside(outside, row["number"]) if arm in (OWN, ENCODED) else row["seconds"]["to_published"]
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


class Encoded:
    """Logistic regression on the vectors of an encoder, each of which is made once."""

    def __init__(self, folder: str) -> None:
        self._featurizer = make_featurizer("onnx-text", {"model": folder})
        self._state = self._featurizer.fit([])
        self._known: dict[str, Any] = {}

    def __call__(self, items: list[Any], labels: list[Any], pool: Iterator[list[Any]]) -> Iterator[Any]:
        """As `learn_with` calls it, once a round."""
        model = LogisticRegression(C=20, max_iter=500).fit(self._vectors(items), labels)
        for chunk in pool:
            yield model.classes_, model.predict_proba(self._vectors(chunk))

    def _vectors(self, items: list[Any]) -> Any:
        new = [item for item in items if item["key"] not in self._known]
        block = self._featurizer.transform([item["text"] for item in new], self._state)
        self._known.update(zip((item["key"] for item in new), block.dense, strict=True))
        return np.stack([self._known[item["key"]] for item in items])


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


def _write(path: Path, found: dict[str, list[Points]]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["arm", "seed", "answers", "accuracy", "seconds"])
        for name, runs in found.items():
            rows.writerows([name, seed, *point] for seed, run in enumerate(runs) for point in run)


def _print(found: dict[str, list[Points]]) -> None:
    print("| answers | " + " | ".join(found) + " |")
    print("|---|" + "---|" * len(found))
    for place in range(SHOWN - 1, len(next(iter(found.values()))[0]), SHOWN):
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
