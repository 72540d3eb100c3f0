"""When each stopping criterion would have stopped: `python -m benchmarks.stopping [--sets digits,trec] [--seeds 30]`.

Simulated projects with `auto`, rounds of 20, the audit share of 0.1 charged; no initial labels. Each goes on, in rounds
of 100, to twice the labels: what that gives, the mean of its last fifth, is the plateau. The oracle stops at the first
round at which the accuracy on held-out rows, the mean of three rounds, is within a point of it; where none is, the
oracle goes on, and to go on is right. A false early stop is one before 80 % of the oracle's labels that ends more than
a point below the plateau. The same stands beside it for a plateau that ends with the run, as if nobody could go on:
then every curve has its end within a point, also one that rises.

Rules are chosen on the sets named in TUNED and on the first nine seeds of the suite, and judged on its other seeds and
on the sets named in FRESH, which nothing was ever chosen on. Runs are kept in benchmarks/out, and with `--write` in
results/stopping.csv, from which `--stored` prints the same without simulating anything.

Who never stops within the labels is not below what going on gives, so each share is told twice: of all projects, and of
those that stop alone.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats
from app.evaluation.sequence import at_look
from app.evaluation.stopping import CRITERIA, Seen, Terms, advise, signals, verdicts
from app.evaluation.stopping.gain import GainAgainstPrice
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
CHOSEN_BY = 9  # seeds of the suite, below which rules are chosen
FRESH = ("income", "fsdd:speaker", "cifar10n")
SUITE = (
    "digits,breast_cancer,long_tail,digits_copies,mnist,letter,spambase,satellite,trec,ag_news,shuttle,sst2,banking77"
)
POINT = 0.01
SMOOTH = 3
EARLY = 0.8  # of the oracle's labels
OUTPUT = Path(__file__).parent / "out" / "stopping"
RESULTS = Path(__file__).parent / "results" / "stopping.csv"
LONG_ROUND = 100  # items, once the run is over and only its plateau is to be known
HOUR_PRICE, SECONDS = 30.0, 5.0  # of an answer
GAIN = GainAgainstPrice()
GAINS_FROM = 100  # labels of the first round whose expected gain is held against what came
LITTLE = 0.05  # points
WORTHS = (1_000.0, 100.0, 20.0, 5.0, 2.0, 1.0)  # of a point of accuracy, in the currency of the price
STUDIED = ("settled", "stable", "change", "uncertainty", "confidence", "f_change", "plateau", "curve")


def main() -> None:
    """Simulate what is lacking and print the tables."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--sets", default=SUITE)
    given.add_argument("--seeds", type=int, default=30)
    given.add_argument("--labels", type=int, default=600)
    given.add_argument("--tuned-seeds", type=int, default=3, help="of the sets to choose rules by")
    given.add_argument("--fresh-seeds", type=int, default=5, help="of the sets that nothing was chosen on")
    given.add_argument("--write", action="store_true")
    given.add_argument("--stored", action="store_true", help="read results/stopping.csv and simulate nothing")
    options = given.parse_args()
    known = stored(RESULTS) if options.stored else None
    every: dict[str, list[Trace]] = {}
    suite = options.sets.split(",")
    with one_thread():
        for title, names, seeds in (
            ("Seeds of the suite that nothing was chosen on", suite, range(CHOSEN_BY, options.seeds)),
            ("Sets that nothing was chosen on", FRESH, range(options.fresh_seeds)),
            ("Seeds of the suite to choose rules by", suite, range(min(CHOSEN_BY, options.seeds))),
            ("Sets to choose rules by", TUNED, range(TUNED_FROM, TUNED_FROM + options.tuned_seeds)),
        ):
            if not seeds:
                continue
            found = {
                name: traces(name, seeds, options.labels)
                if known is None
                else [each for each in known.get(name, []) if each.seed in seeds]
                for name in names
            }
            for name, each in found.items():
                every[name] = [*each, *every.get(name, [])]  # seeds to choose by come later here, and first in the file
            for of, until in (("twice the labels", True), ("the last of these labels", False)):
                print(f"\n## {title}; the plateau is of {of}\n")
                tables(found, until)
        unseen = {
            name: [trace for trace in each if name in FRESH or trace.seed >= CHOSEN_BY]
            for name, each in every.items()
            if name not in TUNED
        }
        print("\n## Prices; seeds and sets that nothing was chosen on\n")
        prices([trace for each in unseen.values() for trace in each])
        print("\n## What `gain` expects, and what came; the same, and the sets to choose by\n")
        gains(unseen | {name: each for name, each in every.items() if name in TUNED})
    if options.write:
        write(every)


@dataclass
class Trace:
    """One simulated project: what a round saw, and what was true; and what was true `later`, of labels and accuracy."""

    seed: int
    seen: list[Seen] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    later: list[tuple[int, float]] = field(default_factory=list)


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
        found.append(Trace(**{**stored, "seen": [Seen.from_json(each) for each in stored["seen"]]}))
    return found


def stored(file: Path) -> dict[str, list[Trace]]:
    """The runs that `write` kept, by set, in the order of the file."""
    runs: dict[tuple[str, int], Trace] = {}
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            trace = runs.setdefault((row["set"], int(row["seed"])), Trace(int(row["seed"])))
            labels, accuracy = int(row["labels"]), float(row["held_out_accuracy"])
            if not row["judges"]:  # a round of the way on, of which only this is known
                trace.later.append((labels, accuracy))
                continue
            shares = {each.name: row[each.name] for each in fields(Seen) if each.name not in ("labels", "judges")}
            seen = {name: float(share) if share else None for name, share in shares.items()}
            trace.seen.append(Seen.from_json({**seen, "labels": labels, "judges": int(row["judges"])}))
            trace.accuracy.append(accuracy)
    found: dict[str, list[Trace]] = {}
    for (name, _), trace in runs.items():
        found.setdefault(name, []).append(trace)
    return found


def _run(data: Dataset, seed: int, labels: int) -> Trace:
    trace, watch = Trace(seed), _Watch()
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
        known = len(replay.run.labels)
        on = Replay(data, replay.run, Conditions(labels=2 * labels, round_size=LONG_ROUND), {"guard": False})
        while not on.step(executor):
            pass
    trace.later = list(zip(on.run.labels[known:], on.run.accuracy[known:], strict=True))
    return trace


class _Watch:
    """Keeps what the last two rounds say of the rows that both have in their sample."""

    def __init__(self) -> None:
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


def plateau(trace: Trace, until: bool) -> float:
    """What going on gives: the mean of the last fifth of the labels of the whole run, or of the part that is judged."""
    labels = [each.labels for each in trace.seen]
    points = [*zip(labels, trace.accuracy, strict=True), *(trace.later if until else [])]
    last = 0.8 * points[-1][0]
    return float(np.mean([accuracy for count, accuracy in points if count > last]))


def oracle(trace: Trace, until: bool = True) -> tuple[int | None, float]:
    """The round from which nothing more than a point is to be gained, None where that is later; and the plateau."""
    top = plateau(trace, until)
    there = np.flatnonzero(smoothed(trace.accuracy) >= top - POINT)
    return int(there[0]) if there.size else None, top


def stops(trace: Trace, says: Callable[[Sequence[Seen]], bool]) -> int | None:
    """The first round at which a rule says stop."""
    return next((i for i in range(len(trace.seen)) if says(trace.seen[: i + 1])), None)


def rules() -> dict[str, Callable[[Sequence[Seen]], bool]]:
    """Each criterion that needs no prices, and the advice."""
    found: dict[str, Callable[[Sequence[Seen]], bool]] = {name: partial(_says, name) for name in STUDIED}
    return {"**advice**": lambda history: advise(verdicts(history, Terms())).stop, **found}


def _says(name: str, history: Sequence[Seen]) -> bool:
    return CRITERIA[name].judge(history, Terms()).stop is True


def tables(found: Mapping[str, Sequence[Trace]], until: bool) -> None:
    """One table over all sets, and one a set for the advice."""
    known = [(name, trace, *oracle(trace, until)) for name, each in found.items() for trace in each if trace.seen]
    print("| rule | median labels / oracle's | within a point of the plateau | false early stops | never stops", end="")
    print(" | that stop | of these: labels / oracle's | within a point | false early |")
    print("|---|---|---|---|---|---|---|---|---|")
    for rule, says in rules().items():
        outcomes = [_outcome(trace, at, top, says) for _, trace, at, top in known]
        print(f"| {rule} | {_row(outcomes)} | {_of_stops(outcomes)} |", flush=True)
    print(
        "\n| set | runs | plateau | oracle's labels | advice's labels | ratio | within a point | false early | never |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in found:
        own = [(trace, at, top) for each, trace, at, top in known if each == name]
        says = rules()["**advice**"]
        outcomes = [_outcome(trace, at, top, says) for trace, at, top in own]
        reached = np.mean([top for _, _, top in own])
        first, when = (np.median([each[of] for each in outcomes]) for of in ("best", "labels"))
        print(f"| {name} | {len(own)} | {reached:.3f} | {first:.0f} | {when:.0f} | {_row(outcomes)} |")


def _outcome(trace: Trace, at: int | None, top: float, says: Callable[[Sequence[Seen]], bool]) -> dict[str, float]:
    """Who does not stop has gone to the end of the run, and is not below what going on gives."""
    stop, end = stops(trace, says), trace.seen[-1].labels
    labels = end if stop is None else trace.seen[stop].labels
    best = end if at is None else trace.seen[at].labels
    good = stop is None or float(smoothed(trace.accuracy)[stop]) >= top - POINT
    return {
        "labels": labels,
        "best": best,
        "ratio": labels / best,
        "good": good,
        "early": labels < EARLY * best and not good,
        "never": stop is None,
    }


def _row(outcomes: Sequence[Mapping[str, float]]) -> str:
    """The median ratio and three shares of some outcomes."""
    return _shares(outcomes, "good", "early", "never")


def _of_stops(outcomes: Sequence[Mapping[str, float]]) -> str:
    """How many stop at all, and the median ratio and two shares of these: a share of all counts who goes on as good."""
    stopped = [each for each in outcomes if not each["never"]]
    return f"{len(stopped)} | " + (_shares(stopped, "good", "early") if stopped else "- | - | -")


def _shares(outcomes: Sequence[Mapping[str, float]], *names: str) -> str:
    ratio = np.median([each["ratio"] for each in outcomes])
    shares = [100 * np.mean([each[name] for each in outcomes]) for name in names]
    return f"{ratio:.2f} | " + " | ".join(f"{each:.0f} %" for each in shares)


def prices(traces_: Sequence[Trace]) -> None:
    """What `gain` costs against the best stop, for several worths of a point: beside it who never stops, and `settled`.

    The unit is the price of all labels of a run. Falsely stopped: more than two points were still to come by its end,
    worth more than twice their price.
    """
    print("| worth of a point | rule | stops | falsely | loses, mean | 95 of 100 lose at most | says otherwise again |")
    print("|---|---|---|---|---|---|---|")
    for worth in WORTHS:
        terms = Terms(hour_price=HOUR_PRICE, point_worth=worth, seconds=SECONDS)
        for name, given in (("gain", terms), ("settled", Terms()), ("never", None)):
            rows = [_priced(trace, worth, _verdicts(trace, name, given)) for trace in traces_ if trace.seen]
            stopped, false, lost, turns = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
            cells = f"{100 * stopped.mean():.0f} % | {100 * false.mean():.1f} % | {lost.mean():.2f}"
            more = f"{np.quantile(lost, 0.95):.2f} | {100 * (turns > 1).mean():.0f} %"
            print(f"| {worth:g} | {name} | {cells} | {more} |", flush=True)


def _verdicts(trace: Trace, name: str, given: Terms | None) -> list[bool]:
    """Whether a criterion says stop, by round."""
    if given is None:
        return [False] * len(trace.seen)
    return [CRITERIA[name].judge(trace.seen[: i + 1], given).stop is True for i in range(len(trace.seen))]


def _priced(trace: Trace, worth: float, says: Sequence[bool]) -> tuple[bool, bool, float, int]:
    """Whether it stops, and falsely; what it loses against the best stop; how often it changes its word."""
    labels = np.array([each.labels for each in trace.seen])
    cost, accuracy = labels * SECONDS / 3_600 * HOUR_PRICE, smoothed(trace.accuracy)
    kept = worth * 100 * accuracy - cost
    at = says.index(True) if True in says else len(labels) - 1
    gain = 100 * (float(np.mean(trace.accuracy[-3:])) - accuracy[at])
    false = True in says and gain > 2 and gain * worth > 2 * (cost[-1] - cost[at])
    turns = int(np.abs(np.diff(np.array(says, dtype=np.int64))).sum())
    return True in says, bool(false), float((kept.max() - kept[at]) / cost[-1]), turns


def gains(found: Mapping[str, Sequence[Trace]]) -> None:
    """The points that `gain` expects of a quarter of the labels again, and those that came on held-out rows, by set.

    The means over the rounds of 100 labels and more of which a run knows what a quarter again gave: of 600, up to 480.
    """
    print("| set | rounds | points expected | points that came | expected / came |")
    print("|---|---|---|---|---|")
    for name, each in found.items():
        pairs = [pair for trace in each for pair in _gained(trace)]
        if pairs:
            said, came = np.mean(pairs, axis=0)
            ratio = f"{said / came:.1f}" if min(said, came) >= LITTLE else "-"  # a ratio to nothing says nothing
            print(f"| {name} | {len(pairs)} | {said:.2f} | {came:.2f} | {ratio} |", flush=True)


def _gained(trace: Trace) -> list[tuple[float, float]]:
    """Points of accuracy expected and come, of each round that can tell and of which both are known."""
    labels = [each.labels for each in trace.seen]
    found = []
    for place, now in enumerate(labels):
        # A point worth 1 is expected to be worth as many as come; an hour at 1 and no time costs nothing.
        said = GAIN.judge(trace.seen[: place + 1], Terms(hour_price=1.0, point_worth=1.0, seconds=0.0)).value
        then = now + max(1, round(GAIN.more * now))
        if said is not None and now >= GAINS_FROM and then <= labels[-1]:
            later = float(np.interp(then, labels, trace.accuracy))
            found.append((said, 100 * (later - trace.accuracy[place])))
    return found


def write(found: Mapping[str, Sequence[Trace]]) -> None:
    """Every round of every run, one row each."""
    names = [each.name for each in fields(Seen)]
    with RESULTS.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["set", "seed", "held_out_accuracy", *names])
        for name, trace in ((name, trace) for name, each in found.items() for trace in each):
            for seen, accuracy in zip(trace.seen, trace.accuracy, strict=True):
                rows.writerow([name, trace.seed, round(accuracy, 5), *seen.to_json().values()])
            for labels, accuracy in trace.later:
                rows.writerow([name, trace.seed, round(accuracy, 5), labels, *[""] * (len(names) - 1)])


if __name__ == "__main__":
    main()
