"""Time and memory of every query strategy: `python -m benchmarks.strategies [--rows 10000,100000] [--only ...]`.

A pool of so many rows x 384 float32 in the feature store's shards on disk (300 clusters, made with a seed), 10 classes,
1,000 labels, a batch of 100: from the labels to the chosen order, as a round does it, each in a process of its own with
a limit of time and memory. Beside them two limits of the machine in the same run, and the same strategies of
scikit-activeml where they end in time. Writes benchmarks/results/strategies.md and .csv.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.core.block import Block
from app.features import ShardInfo, StoredShard, append
from app.loop.executors import LocalExecutor
from app.loop.needs import Aims
from app.loop.propose import Labelled, Plan, propose
from app.strategies import AUTO, POOL_STRATEGIES, Need

WIDTH, CLASSES, LABELS, BATCH, SHARD = 384, 10, 1_000, 100, 20_000
CLUSTERS, NOISE = 300, 1.5
LIMITS = {
    "memory": "limit: one pass over the memory",
    "products": f"limit: {2 * WIDTH * CLASSES:,} FLOP a row, a score a class",
}
MEMORY = 12 << 30  # of a rival, bytes; ours needs no limit
RIVALS = {
    "core_set": "CoreSet",
    "badge": "Badge",
    "typiclust": "TypiClust",
    "dropquery": "DropQuery",
    "clue": "Clue",
    "prob_cover": "ProbCover",
    "coverage": "MaxHerding",
    "falcun": "Falcun",
    "margin": "UncertaintySampling",
    "entropy": "UncertaintySampling",
    "discriminative": "DiscriminativeAL",
    "contrastive": "ContrastiveAL",
    "bald": "GreedyBALD",
    "batch_bald": "BatchBALD",
    "vote_entropy": "QueryByCommittee",
}
WISHES = {
    "threshold": 0.1, "density": 1.0, "balance": 1.0, "similarity": 1.0, "weight": 1.0, "like": "a", "by": "views",
}  # fmt: skip
WITH_WISHES = "product, every wish"  # a row of its own: likeness to a hundred items, and a number of each candidate
LARGE = 50_000  # rows above which only these are measured, since each takes minutes or all of the memory
RIVALS_LARGE = ("core_set", "badge", "typiclust", "dropquery")
RESULTS = Path(__file__).resolve().parent / "results"
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Measure what is asked for; one line each as it comes, then the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", default="10000,100000,1000000")
    given.add_argument("--only", default="", help="strategies with commas; all unless given")
    given.add_argument("--limit", type=float, default=60, help="seconds of one run of ours")
    given.add_argument("--rivals", default="10000,100000", help="rows at which scikit-activeml is measured, or nothing")
    given.add_argument("--rival-limit", type=float, default=20, help="seconds of one run of theirs")
    given.add_argument("--isotropic", action="store_true", help="core_set on a pool without clusters too")
    given.add_argument("--brute", action="store_true", help="compare core_set's picks with the plain rule's in float64")
    given.add_argument("--write", action="store_true", help="write the result files")
    given.add_argument("--worker", help=argparse.SUPPRESS)
    options = given.parse_args()
    if options.worker:
        print(json.dumps(_worked(json.loads(options.worker))))
        return
    names = options.only.split(",") if options.only else [AUTO, *POOL_STRATEGIES]
    names += [WITH_WISHES] if "product" in names else []
    rival_rows = [int(rows) for rows in options.rivals.split(",") if rows]
    found: list[dict[str, Any]] = []
    for rows in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory(prefix="labelwise-strategies-") as folder:
            _make(Path(folder) / "clusters", rows, NOISE)
            jobs = [{"kind": "limits", "rows": rows, "name": name} for name in LIMITS]
            jobs += [{"kind": "ours", "rows": rows, "name": name} for name in names]
            if rows in rival_rows:
                rivals = RIVALS_LARGE if rows > LARGE else tuple(RIVALS)
                jobs += [{"kind": "theirs", "rows": rows, "name": name} for name in names if name in rivals]
            for job in jobs:
                limit = options.rival_limit if job["kind"] == "theirs" else options.limit
                found.append(_measured({**job, "folder": f"{folder}/clusters"}, limit))
            if "core_set" in names:
                found += _k_center(options, rows, Path(folder))
    table = _table(found)
    print(table)
    if options.write:
        (RESULTS / "strategies.md").write_text(_page(table))
        with (RESULTS / "strategies.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["kind", "name", "rows", "seconds", "choosing", "megabytes", "said"])
            writer.writeheader()
            writer.writerows({key: each.get(key, "") for key in writer.fieldnames} for each in found)


def _k_center(options: argparse.Namespace, rows: int, folder: Path) -> list[dict[str, Any]]:
    """core_set on a pool without clusters, and beside the plain rule on both, where that is asked for."""
    job, found = {"rows": rows, "name": "core_set"}, []
    if options.brute:
        _compared({**job, "folder": f"{folder}/clusters"}, "clustered pool")
    if options.isotropic:
        shutil.rmtree(folder / "clusters")
        _make(folder / "isotropic", rows, None)
        job["folder"] = f"{folder}/isotropic"
        found.append({**_measured({**job, "kind": "ours"}, options.limit), "name": "core_set, isotropic pool"})
        if options.brute:
            _compared(job, "isotropic pool")
    return found


def _make(folder: Path, rows: int, noise: float | None) -> None:
    """Unit vectors around centers, or anywhere, in shards; the classes are the clusters modulo ten."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((CLUSTERS, WIDTH), dtype=np.float32)
    cluster = rng.integers(0, CLUSTERS, rows)
    infos = []
    for start in range(0, rows, SHARD):
        part = cluster[start : start + SHARD]
        matrix = rng.standard_normal((len(part), WIDTH), dtype=np.float32)
        if noise is not None:
            matrix = centers[part] + np.float32(noise) * matrix
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        ids = np.zeros((len(part), 3), dtype=np.int64)
        ids[:, 0], ids[:, 2] = np.arange(start, start + len(part)) + 1, 1
        infos.append(append(folder, ids, Block(matrix)))
    (folder / "made.json").write_text(json.dumps([info.__dict__ for info in infos]))
    np.save(folder / "classes.npy", cluster % CLASSES)


def _measured(job: dict[str, Any], limit: float) -> dict[str, Any]:
    """Run one job in a process of its own; what it found, or why there is nothing."""
    command = [sys.executable, "-m", "benchmarks.strategies", "--worker", json.dumps(job)]
    result = {"kind": job["kind"], "name": job["name"], "rows": job["rows"]}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            out, error = process.communicate(timeout=limit + 10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            result["said"] = f"> {limit:.0f} s"
        else:
            last = error.decode().strip().splitlines()[-1:] or [""]
            result |= json.loads(out) if process.returncode == 0 else {"said": last[0][:80] or "killed"}
    print(f"{result['kind']:>7} {result['rows']:>9,} {result['name']:<24} {_cell(result)}", file=sys.stderr, flush=True)
    return result


def _compared(job: dict[str, Any], pool: str) -> None:
    """Say whether core_set picks what the plain rule does."""
    found = _measured({**job, "kind": "brute"}, 3_600)
    print(f"core_set and the plain rule in float64, {job['rows']:,} rows, {pool}: {_cell(found)}", flush=True)


class _Memory(threading.Thread):
    """The highest private memory of this process: mapped files do not count."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.begun, self.peak = _private(), 0

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, _private())
            time.sleep(0.005)

    @property
    def megabytes(self) -> float:
        return round(max(self.peak, _private()) / 1024 - self.begun / 1024, 1)


def _private() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    return 0


def _worked(job: dict[str, Any]) -> dict[str, Any]:
    folder = Path(job["folder"])
    shards = [StoredShard(folder, ShardInfo(**info)) for info in json.loads((folder / "made.json").read_text())]
    classes = np.load(folder / "classes.npy")
    if job["kind"] == "limits":
        return _limits(job["name"], shards)
    if job["kind"] == "theirs":
        return _theirs(job["name"], shards, classes)
    return _ours(job, shards, classes)


def _ours(job: dict[str, Any], shards: list[StoredShard], classes: Any) -> dict[str, Any]:
    rows = len(classes)
    labelled = np.sort(np.random.default_rng(1).choice(rows, min(LABELS, rows // 2), replace=False))
    dense = _rows(shards, labelled)
    wishes = WISHES if job["name"] == WITH_WISHES else {}
    name = "product" if wishes else job["name"]
    needs: frozenset[Need] = getattr(POOL_STRATEGIES.get(name), "needs", frozenset())
    several = Need.SEVERAL_CLASSES in needs
    values = tuple(map(float, range(CLASSES))) if Need.NUMBERS in needs else None
    ids = np.zeros((len(labelled), 3), dtype=np.int64)
    ids[:, 0], ids[:, 2] = labelled + 1, 1
    taught = Labelled(
        ids,
        Block(np.ascontiguousarray(dense)),
        np.eye(CLASSES, dtype=np.float32)[classes[labelled]],
        np.ones(len(labelled)),
        np.zeros(len(labelled), dtype=bool),
    )
    plan = Plan(
        tuple(range(CLASSES)), several, "text", strategy=name, strategy_parameters=wishes, size=BATCH, seed=1,
        values=values,
    )  # fmt: skip
    aims = Aims(taught.block.dense[:100], lambda ids: (ids[:, 0] % 997 + 1).astype(np.float64))
    memory = _Memory()
    memory.start()
    begun = time.monotonic()
    with LocalExecutor() as executor:
        proposal = propose(taught, shards, plan, executor, lambda _step, _fraction: None, aims=aims)
    seconds = time.monotonic() - begun
    assert len(proposal.ids) == BATCH
    if job["kind"] == "brute":
        return _brute(shards, labelled, proposal.ids[:, 0] - 1)
    choosing = sum(proposal.seconds.values()) - proposal.seconds["train"]
    found = {"seconds": round(seconds, 3), "choosing": round(choosing, 3), "megabytes": memory.megabytes}
    return {**found, "said": proposal.fallback or ""}


def _brute(shards: list[StoredShard], labelled: Any, picked: Any) -> dict[str, Any]:
    """The plain rule over all rows in float64, one pass a pick, and whether it picks the same in the same order."""
    begun = time.monotonic()
    matrix = np.concatenate([shard.load().block.dense for shard in shards], dtype=np.float64)
    centers = matrix[labelled].T.copy()
    like = np.concatenate([(matrix[s : s + SHARD] @ centers).max(axis=1) for s in range(0, len(matrix), SHARD)])
    expected = []
    for _ in range(BATCH):
        expected.append(int(like.argmin()))
        np.maximum(like, matrix @ matrix[expected[-1]], out=like)
    same = sum(a == b for a, b in zip(expected, picked.tolist(), strict=True))
    return {"seconds": round(time.monotonic() - begun, 3), "megabytes": 0.0, "said": f"{same} of {BATCH} the same"}


def _rows(shards: list[StoredShard], rows: Any) -> Any:
    """Some rows of the pool, without the others in memory."""
    return np.concatenate([shards[n].load().block.dense[rows[rows // SHARD == n] % SHARD] for n in range(len(shards))])


def _limits(name: str, shards: list[StoredShard]) -> dict[str, Any]:
    """One pass over the features' memory (a sum of every number), or a score a class of every row; the second time."""
    weights = np.ones((WIDTH, CLASSES), dtype=np.float32)
    work = {"memory": lambda dense: dense.sum(dtype=np.float32), "products": lambda dense: (dense @ weights)[0, 0]}
    for _ in range(2):
        begun = time.monotonic()
        total = sum(float(work[name](shard.load().block.dense)) for shard in shards)
        seconds = time.monotonic() - begun
    assert np.isfinite(total)
    return {"seconds": round(seconds, 3), "megabytes": 0.0}


def _theirs(name: str, shards: list[StoredShard], classes: Any) -> dict[str, Any]:
    from skactiveml import pool
    from skactiveml.classifier import SklearnClassifier
    from sklearn.linear_model import LogisticRegression

    import benchmarks.rivals as rivals

    matrix = np.concatenate([shard.load().block.dense for shard in shards])
    labels = np.full(len(matrix), np.nan)
    labelled = np.sort(np.random.default_rng(1).choice(len(matrix), min(LABELS, len(matrix) // 2), replace=False))
    labels[labelled] = classes[labelled]
    model = SklearnClassifier(LogisticRegression(C=20.0), classes=list(range(CLASSES)))
    strategy = getattr(pool, RIVALS[name])
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    memory = _Memory()
    memory.start()
    begun = time.monotonic()
    picked = rivals.query(name, strategy, matrix, labels, model, BATCH)
    seconds = time.monotonic() - begun
    assert len(set(picked)) == BATCH
    return {"seconds": round(seconds, 3), "megabytes": memory.megabytes, "said": ""}


def _cell(found: dict[str, Any]) -> str:
    if "seconds" not in found:
        return str(found["said"])
    choosing = f" ({found['choosing']:.2f} choosing)" if "choosing" in found else ""
    text = f"{found['seconds']:.2f} s{choosing}, {found['megabytes']:,.0f} MB"
    return f"{text} ({found['said']})" if found.get("said") else text


def _table(found: list[dict[str, Any]]) -> str:
    sizes = sorted({each["rows"] for each in found})
    of = {(each["kind"], each["name"], each["rows"]): _cell(each) for each in found}
    lines = ["| strategy | " + " | ".join(f"{rows:,}" for rows in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for kind, name in dict.fromkeys((each["kind"], each["name"]) for each in found if each["kind"] != "theirs"):
        shown = LIMITS[name] if kind == "limits" else f"`{name}`"
        lines.append(f"| {shown} | " + " | ".join(of.get((kind, name, rows), "-") for rows in sizes) + " |")
        if any(("theirs", name, rows) in of for rows in sizes) and kind == "ours":
            theirs = " | ".join(of.get(("theirs", name, rows), "-") for rows in sizes)
            lines.append(f"| scikit-activeml's {RIVALS[name]} | {theirs} |")
    return "\n".join(lines)


def _page(table: str) -> str:
    return f"""# Time and memory of the query strategies

`python -m benchmarks.strategies --isotropic --brute --rival-limit 200 --write`: a pool of {WIDTH} float32 columns
in shards on disk ({CLUSTERS} clusters), {CLASSES} classes, {LABELS:,} labels, a batch of {BATCH}, from the labels to
the chosen order on {os.cpu_count()} cores; each in a process of its own. "Choosing" leaves out what fitting our learner
and starting threads take, which scikit-activeml's seconds leave out too. Memory is what the process took beside the
mapped features. scikit-activeml gets the same features and labels in memory, and its own classifier; "> 200 s" is where
it would be stopped. All rows are in [strategies.csv](strategies.csv).

{table}
"""


if __name__ == "__main__":
    main()
