"""Do our strategies learn as fast as scikit-activeml's? `python -m benchmarks.rival_curves [--seeds 30] [--csv F]`.

The digits, each pair from the same twenty random labels, batches of 20 to 220 labels, without audit items, our learner
on both sides; scikit-activeml's strategies see the whole pool, with a logistic regression where they take a
classifier. Where the picks are the same (`core_set`) so are the curves; the others break ties, draw and cluster by
other random numbers, so their curves are compared: the mean difference over the paired seeds with its t-interval.
"""

import argparse
from pathlib import Path

import numpy as np

from app.evaluation.curves import paired_interval
from app.loop.executors import LocalExecutor, one_thread
from app.loop.sets import Dataset
from app.loop.simulate import Conditions, Replay, Run
from benchmarks.generated import digits

PAIRS = {
    "core_set": "CoreSet",
    "badge": "Badge",
    "typiclust": "TypiClust",
    "dropquery": "DropQuery",
    "prob_cover": "ProbCover",
    "coverage": "MaxHerding",
    "clue": "Clue",
    "falcun": "Falcun",
}
FIRST = 20
LABELS = 220
SHOWN = (60, 120, 220)


def main() -> None:
    """Run all pairs and print their table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--seeds", type=int, default=30)
    given.add_argument("--first-seed", type=int, default=400)
    given.add_argument("--csv", type=Path, help="write every accuracy of every run there")
    options = given.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    data = digits()
    raw = ["strategy,of,seed,labels,accuracy"]
    at = "".join(f" at {labels} |" for labels in SHOWN)
    print(f"| ours | scikit-activeml's | mean accuracy | theirs | difference in points (95 %) |{at} seconds | theirs |")
    print("|---|---|---|---|---|" + "---|" * len(SHOWN) + "---|---|")
    for ours, theirs in PAIRS.items():
        library = {"method": theirs, "keeps": len(data.pool)}
        mine = [_run(data, ours, {}, seed) for seed in seeds]
        others = [_run(data, "scikit_activeml", library, seed) for seed in seeds]
        for whose, runs in (("Labelwise", mine), ("scikit-activeml", others)):
            for run in runs:
                points = zip(run.labels, run.accuracy, strict=True)
                raw += [f"{ours},{whose},{run.seed},{labels},{accuracy:.4f}" for labels, accuracy in points]
        one, other = ([run.mean_accuracy for run in runs] for runs in (mine, others))
        mean, low, high = (100 * each for each in paired_interval(one, other))
        apart = " | ".join(f"{100 * (_at(mine, labels) - _at(others, labels)):+.1f}" for labels in SHOWN)
        took = " | ".join(f"{np.mean([run.choosing for run in runs]):.2f}" for runs in (mine, others))
        print(
            f"| {ours} | {theirs} | {np.mean(one):.3f} | {np.mean(other):.3f} "
            f"| {mean:+.1f} ({low:+.1f} to {high:+.1f}) | {apart} | {took} |",
            flush=True,
        )
    if options.csv:
        options.csv.write_text("\n".join(raw) + "\n")


def _run(data: Dataset, strategy: str, parameters: dict[str, object], seed: int) -> Run:
    first = np.random.default_rng([9, seed]).permutation(len(data.pool))[:FIRST]
    run = Run(data.name, strategy, seed, order=[int(row) for row in first])
    replay = Replay(data, run, Conditions(labels=LABELS, audit_share=0.0), parameters)
    with one_thread(), LocalExecutor(1) as executor:
        while not replay.step(executor):
            pass
    if run.refused:
        raise SystemExit(f"{strategy} {parameters}: {run.refused}")
    return run


def _at(runs: list[Run], labels: int) -> float:
    return float(np.mean([run.accuracy[run.labels.index(labels)] for run in runs]))


if __name__ == "__main__":
    main()
