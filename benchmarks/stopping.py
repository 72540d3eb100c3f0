"""When each stopping criterion would have stopped: `python -m benchmarks.stopping [--sets digits,trec] [--seeds 30]`.

Simulated projects with `auto`, rounds of 20, the audit share of 0.1 charged; no initial labels. The oracle stops at the
first round at which the accuracy on held-out rows, the mean of three rounds, is within a point of the plateau: the mean
of the last fifth of the rounds, which is what going on to the end would have given. A false early stop is one before
80 % of the oracle's labels that ends more than a point below the plateau. The advice was chosen on digits_noise and
overlap; rules are chosen on the sets and seeds named in TUNED and nowhere else. Runs are kept in benchmarks/out.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats
from app.evaluation.sequence import at_look
from app.evaluation.stopping import CRITERIA, Seen, Terms, advise, signals, verdicts
from app.loop.evaluate import FEWEST_AUDIT, cross_fit
from app.loop.executors import LocalExecutor, one_thread
from app.loop.guarding import folds_of
from app.loop.propose import Proposal
from app.loop.sets import Dataset
from app.loop.simulate import Conditions, Replay, Run
from app.strategies import AUTO
from benchmarks.datasets import dataset
from benchmarks.generated import GENERATED

TUNED = (
    "digits_noise", "overlap", "groups_few", "groups_many", "groups_mixed", "groups_wrong", "slope", "fsdd", "sms_spam",
    "tweet_emotion",
)  # fmt: skip
TUNED_FROM = 1_000  # their seeds
SUITE = (
    "digits,breast_cancer,long_tail,digits_copies,mnist,letter,spambase,satellite,trec,ag_news,shuttle,sst2,banking77"
)
POINT = 0.01
SMOOTH = 3
EARLY = 0.8  # of the oracle's labels
OUTPUT = Path(__file__).parent / "out" / "stopping"
STUDIED = ("stable", "change", "uncertainty", "confidence", "f_change", "plateau", "curve")


def main() -> None:
    """Simulate what is lacking and print the tables."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--sets", default=SUITE)
    given.add_argument("--seeds", type=int, default=30)
    given.add_argument("--labels", type=int, default=600)
    options = given.parse_args()
    with one_thread():
        for title, names in (
            ("Sets that nothing was chosen on", options.sets.split(",")),
            ("Sets to choose rules by", TUNED),
        ):
            print(f"\n## {title}\n")
            first = TUNED_FROM if names is TUNED else 0
            tables({name: traces(name, range(first, first + options.seeds), options.labels) for name in names})


@dataclass
class Trace:
    """One simulated project: what a round saw, and what was true."""

    seen: list[Seen] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


def traces(name: str, seeds: Iterable[int], labels: int) -> list[Trace]:
    """The runs of a set; those that were made before are read."""
    made: list[Dataset] = []
    found = []
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        file = OUTPUT / f"{name}-{labels}-{seed}.json"
        if not file.exists():
            made = made or [GENERATED[name]() if name in GENERATED else dataset(name)]
            file.write_text(json.dumps(asdict(_run(made[0], seed, labels))))
        stored = json.loads(file.read_text())
        found.append(Trace([Seen.from_json(each) for each in stored["seen"]], stored["accuracy"]))
    return found


def _run(data: Dataset, seed: int, labels: int) -> Trace:
    trace, watch = Trace(), _Watch(data)
    replay = Replay(data, Run(data.name, AUTO, seed), Conditions(labels=labels), {"guard": False}, watch=watch)
    with LocalExecutor(1) as executor:
        over = False
        while not over:
            labelled, plan = replay.state()
            before = len(replay.run.accuracy)
            over = replay.step(executor)
            if len(replay.run.accuracy) == before or watch.now is None:
                continue
            seen = signals(len(labelled), watch.now, watch.before, data.multiple)
            if int(labelled.audit.sum()) >= FEWEST_AUDIT:
                held, said = cross_fit(labelled, folds_of(labelled, plan), plan)
                hits = (said.argmax(axis=1) == labelled.targets[held].argmax(axis=1)).astype(np.float32)
                found = at_look(hits, len(trace.seen) + 1, len(data.pool))
                if found:
                    more = {"accuracy": found.value, "low": found.low, "high": found.high, "judges": found.n}
                    seen = Seen(**{**asdict(seen), **more})
            trace.seen.append(seen)
            trace.accuracy.append(replay.run.accuracy[-1])
    return trace


class _Watch:
    """Keeps what the last two rounds say of the rows that both have in their sample."""

    def __init__(self, data: Dataset) -> None:
        self.now: Floats | None = None
        self.before: Floats | None = None
        self._known: dict[int, Any] = {}

    def __call__(self, proposal: Proposal) -> None:
        said = proposal.sample_probabilities
        if said is None:
            self.now = self.before = None
            return
        ids = proposal.sample_ids[:, 0].tolist()
        both = [place for place, item in enumerate(ids) if item in self._known]
        self.before = np.array([self._known[ids[place]] for place in both], dtype=np.float32) if both else None
        self.now = said[both] if both else said
        self._known = dict(zip(ids, said, strict=True))


def smoothed(accuracy: Sequence[float]) -> Doubles:
    """The mean of each round and those beside it."""
    table = np.array(accuracy)
    return np.array([table[max(0, i - SMOOTH // 2) : i + SMOOTH // 2 + 1].mean() for i in range(len(table))])


def oracle(trace: Trace) -> tuple[int, float]:
    """The round from which nothing more than a point is to be gained, and the plateau."""
    curve = smoothed(trace.accuracy)
    plateau = float(np.mean(trace.accuracy[-max(1, len(curve) // 5) :]))
    return int(np.flatnonzero(curve >= plateau - POINT)[0]), plateau


def stops(trace: Trace, says: Callable[[Sequence[Seen]], bool]) -> int:
    """The first round at which a rule says stop, or the last one."""
    return next(
        (i for i in range(len(trace.seen)) if says(trace.seen[: i + 1])),
        len(trace.seen) - 1,
    )


def rules() -> dict[str, Callable[[Sequence[Seen]], bool]]:
    """Each criterion that needs no prices, and the advice."""
    found: dict[str, Callable[[Sequence[Seen]], bool]] = {name: partial(_says, name) for name in STUDIED}
    return {"**advice**": lambda history: advise(verdicts(history, Terms())).stop, **found}


def _says(name: str, history: Sequence[Seen]) -> bool:
    return CRITERIA[name].judge(history, Terms()).stop is True


def tables(found: Mapping[str, Sequence[Trace]]) -> None:
    """One table over all sets, and one a set for the advice."""
    known = [(name, trace, *oracle(trace)) for name, each in found.items() for trace in each if trace.seen]
    print("| rule | median labels / oracle's | within a point of the plateau | false early stops | never stops |")
    print("|---|---|---|---|---|")
    for rule, says in rules().items():
        print(f"| {rule} | {_row([_outcome(trace, at, top, says) for _, trace, at, top in known])} |", flush=True)
    print("\n| set | plateau | oracle's labels | advice's labels | ratio | within a point | false early | never |")
    print("|---|---|---|---|---|---|---|---|")
    for name in found:
        own = [(trace, at, top) for each, trace, at, top in known if each == name]
        says = rules()["**advice**"]
        outcomes = [_outcome(trace, at, top, says) for trace, at, top in own]
        plateau = np.mean([top for _, _, top in own])
        first = np.median([trace.seen[at].labels for trace, at, _ in own])
        when = np.median([each["labels"] for each in outcomes])
        print(f"| {name} | {plateau:.3f} | {first:.0f} | {when:.0f} | {_row(outcomes)} |")


def _outcome(trace: Trace, at: int, plateau: float, says: Callable[[Sequence[Seen]], bool]) -> dict[str, float]:
    stop = stops(trace, says)
    labels, best = trace.seen[stop].labels, trace.seen[at].labels
    good = float(smoothed(trace.accuracy)[stop]) >= plateau - POINT
    return {
        "labels": labels,
        "ratio": labels / best,
        "good": good,
        "early": labels < EARLY * best and not good,
        "never": not says(trace.seen[: stop + 1]),
    }


def _row(outcomes: Sequence[Mapping[str, float]]) -> str:
    ratio = np.median([each["ratio"] for each in outcomes])
    shares = [100 * np.mean([each[name] for each in outcomes]) for name in ("good", "early", "never")]
    return f"{ratio:.2f} | " + " | ".join(f"{each:.0f} %" for each in shares)


if __name__ == "__main__":
    main()
