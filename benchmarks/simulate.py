"""Learning curves on real sets: `python -m benchmarks.simulate [--seeds 10] [--sets trec,...] [--strategies ...]`.

No initial labels, rounds of 20, 600 labels, the audit share charged to every strategy but random, paired seeds.
Finished runs are kept in benchmarks/out/curves and read again, so a stopped benchmark goes on.

The end says of every set whether `auto` does no harm there, and the exit code is 1 where that is not shown. With
`--learner constant`, whose scores are the same for every item, it is shown nowhere.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from unittest.mock import patch

from app.evaluation.curves import penalty_matrix
from app.learners import LEARNERS
from app.loop.outcome import harm, median_labels, paired_difference, ratio_to
from app.loop.sets import Dataset
from app.loop.simulate import RESULTS, Conditions, Run, full_accuracy, simulate_all
from app.strategies import AUTO
from benchmarks.constant import Constant
from benchmarks.datasets import dataset

SETS = (
    "trec,ag_news,banking77,sms_spam,mnist,letter,satellite,sst2,spambase,shuttle,"
    "digits,digits_noise,digits_copies,breast_cancer,long_tail,overlap,rare"
)
OUT = Path(__file__).resolve().parent / "out" / "curves"


def main() -> int:
    """Run what is missing and print the table of the issue."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--seeds", type=int, default=10)
    given.add_argument("--first-seed", type=int, default=100)
    given.add_argument("--labels", type=int, default=600)
    given.add_argument("--sets", default=SETS)
    given.add_argument("--strategies", default="auto,random,margin")
    given.add_argument("--learner", default=AUTO, choices=[AUTO, *LEARNERS, Constant.name])
    given.add_argument("--out", type=Path, default=OUT)
    given.add_argument("--csv", type=Path, help="write every accuracy of every run there")
    options = given.parse_args()
    strategies = options.strategies.split(",")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print("| set | full | strategy | mean accuracy | labels to 90 % of full | of random's | to random | to margin |")
    print("|---|---|---|---|---|---|---|---|")
    ratios = []
    harms: dict[str, str] = {}
    conditions = Conditions(options.labels, learner=options.learner)
    means: dict[str, dict[str, list[float]]] = {}
    raw = ["set,strategy,seed,labels,accuracy"]
    for name in options.sets.split(","):
        begun = time.monotonic()
        data = dataset(name)
        full = remembered_full(data, options.learner, options.out)
        runs = simulate_all(data, strategies, seeds, conditions=conditions, output=options.out)
        if AUTO in strategies and "random" in strategies:
            harms[name] = harm(runs, AUTO, data)
        for run in sorted(runs, key=lambda run: (run.strategy, run.seed)):
            points = zip(run.labels, run.accuracy, strict=True)
            raw += [f"{name},{run.strategy},{run.seed},{labels},{accuracy:.4f}" for labels, accuracy in points]
        means[name] = {each: [run.mean_accuracy for run in runs if run.strategy == each] for each in strategies}
        for strategy in strategies:
            own = [run for run in runs if run.strategy == strategy]
            reached = median_labels(runs, strategy, 0.9 * full)
            ratio = ratio_to(runs, strategy, 0.9 * full, options.labels)
            if strategy == "auto" and ratio:
                ratios.append(ratio["value"])
            mean = sum(run.mean_accuracy for run in own) / len(own)
            print(
                f"| {name} | {full:.3f} | {strategy} | {mean:.3f} | {reached or f'> {options.labels}'} "
                f"| {spread(ratio)} "
                f"| {apart(runs, strategy, 'random')} | {apart(runs, strategy, 'margin')} |",
                flush=True,
            )
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    if options.csv:
        options.csv.write_text("\n".join(raw) + "\n")
    if ratios:
        middle = statistics.median(ratios)
        print(f"\nauto, median of the {len(ratios)} sets that reach it: {middle:.2f} of random's labels (a set that")
        print("random never reaches counts with the labels that were given).")
    print_wins(means, strategies)
    return print_harms(harms)


def print_wins(means: dict[str, dict[str, list[float]]], strategies: list[str]) -> None:
    """Who beats whom on how many sets."""
    print("\nShare of sets on which the row beats the column (mean accuracy, paired t-test, 5 %):\n")
    print("| | " + " | ".join(strategies) + " |")
    print("|---" * (len(strategies) + 1) + "|")
    for strategy, row in zip(strategies, penalty_matrix(means, strategies), strict=True):
        print(f"| {strategy} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


def print_harms(harms: dict[str, str]) -> int:
    """On which sets it is shown that `auto` does no harm; the exit code."""
    if harms:
        print("\nThat auto does no harm is shown:\n")
    for name, why_not in harms.items():
        print(f"- {name}: {f'no, {why_not}' if why_not else 'yes'}")
    return 1 if any(harms.values()) else 0


def apart(runs: list[Run], strategy: str, other: str) -> str:
    """The paired difference in mean accuracy to another strategy, in points, with its interval over the seeds."""
    if other == strategy or not any(run.strategy == other for run in runs):
        return "-"
    found = paired_difference(runs, strategy, other)
    return f"{100 * found['mean']:+.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"


def remembered_full(data: Dataset, learner: str, folder: Path) -> float:
    """Accuracy with every label, kept beside the runs: the slowest single fit."""
    named = data.name if learner == AUTO else f"{data.name}-{learner}"
    file = folder / f"{named}-full-v{RESULTS}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(full_accuracy(data, learner)))
    return float(json.loads(file.read_text()))


def spread(ratio: dict[str, float | int] | None) -> str:
    """A ratio with its interval."""
    return f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "-"


if __name__ == "__main__":
    with patch.dict(LEARNERS, {Constant.name: Constant}):
        sys.exit(main())
