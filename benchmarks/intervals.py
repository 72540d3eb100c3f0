"""How often a round's intervals of one look hold: `python -m benchmarks.intervals [--projects 300] [--kind even]`.

Imagined learners that are half as sure again as they may be, of classes as frequent as each other, nine to one, or with
a long tail; items of which several classes may hold, whose mistakes go together; and audit answers that active testing
chose. The truth is that of 100,000 items, of the classes that have answers. Seeds are the numbers of the projects. The
classes stand for levels of a rating as well. One process; a project takes some hundredths of a second.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from sklearn.metrics import average_precision_score, roc_auc_score

from app.core.arrays import Doubles, Floats
from app.evaluation.active_testing import chances_of, drawn, expected_errors, proposal
from app.evaluation.draws import Draws
from app.evaluation.metrics import hits, report
from app.evaluation.reliability import BINS, bins_of

ANSWERS = (20, 77, 300)
GAPS = (1.8, 3.2)  # of a class's score above the others, in deviations
SURE = 1.5
AUDIT_SET = 2_000
TRUTH = 100_000
KINDS = {
    "even": (0.2, 0.2, 0.2, 0.2, 0.2),
    "nine to one": (0.9, 0.1),
    "long tail": (0.5, 0.2, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.005, 0.005),
    "several": (0.5, 0.3, 0.3, 0.2, 0.1, 0.05),
    "active": (0.3, 0.25, 0.2, 0.15, 0.1),
}
RANKS = ("macro_roc_auc", "macro_average_precision")
FIGURES = ("f1", "macro_f1", "balanced_accuracy", *RANKS, "error", "off")


@dataclass(frozen=True)
class Learner:
    """What it says about items of a kind, and what is true of it."""

    kind: str
    gap: float

    @property
    def multiple(self) -> bool:
        """Whether several classes may hold."""
        return self.kind == "several"

    def items(self, n: int, rng: Generator) -> tuple[Floats, Floats]:
        """Probabilities and targets (n, c)."""
        shares = np.array(KINDS[self.kind])
        if self.multiple:
            targets = rng.random((n, len(shares))) < shares
            scores = targets * self.gap + 0.8 * rng.normal(size=targets.shape) + 0.6 * rng.normal(size=(n, 1))
            word = SURE * (self.gap * (scores - self.gap / 2) + np.log(shares / (1 - shares)))
            said = 1 / (1 + np.exp(-word))
        else:
            targets = np.eye(len(shares), dtype=bool)[rng.choice(len(shares), n, p=shares)]
            word = SURE * (self.gap * (targets * self.gap + rng.normal(size=targets.shape)) + np.log(shares))
            said = np.exp(word - word.max(axis=1, keepdims=True))
            said /= said.sum(axis=1, keepdims=True)
        return said.astype(np.float32), targets.astype(np.float32)

    def judged(self, n: int, rng: Generator) -> tuple[Floats, Floats, Doubles]:
        """The answers of a project with their weights (n,)."""
        if self.kind != "active":
            return *self.items(n, rng), np.ones(n)
        said, targets = self.items(AUDIT_SET, rng)
        chances = proposal(expected_errors(said, False))
        order = drawn(chances, n, rng)
        left = AUDIT_SET - np.arange(n)
        draws = Draws(order, chances_of(order, chances), left, np.arange(AUDIT_SET))
        return said[order], targets[order], draws.weights


@dataclass(frozen=True)
class Truth:
    """The figures of a learner, by class (c,) where they are of one; `off` and `error` are of all."""

    classes: dict[str, Doubles]
    all: dict[str, float]


def truth_of(learner: Learner) -> Truth:
    """By 100,000 items."""
    said, targets = learner.items(TRUTH, np.random.default_rng(TRUTH))
    best = said.argmax(axis=1)
    predicted = said >= 0.5 if learner.multiple else np.eye(targets.shape[1], dtype=bool)[best]
    was = targets > 0
    both = (predicted & was).sum(axis=0)
    right = hits(said, targets, learner.multiple)
    word, fact = (said, targets) if learner.multiple else (said.max(axis=1)[:, None], right[:, None])
    bins = bins_of(word).ravel()
    apart = np.bincount(bins, (word - fact).ravel(), BINS)
    columns = range(targets.shape[1])
    classes = {
        "f1": 2 * both / (predicted.sum(axis=0) + was.sum(axis=0)),
        "balanced_accuracy": both / was.sum(axis=0),
        "macro_roc_auc": np.array([roc_auc_score(was[:, i], said[:, i]) for i in columns]),
        "macro_average_precision": np.array([average_precision_score(was[:, i], said[:, i]) for i in columns]),
    }
    off = float(np.abs(targets.argmax(axis=1) - best).mean())
    return Truth(
        classes | {"macro_f1": classes["f1"]},
        {"accuracy": float(right.mean()), "error": float(np.abs(apart).sum() / bins.size), "off": off},
    )


def project(number: int, learner: Learner, truth: Truth, answers: int) -> list[tuple[str, bool, float]]:
    """Of each interval: of which figure it is, whether it holds the truth, and its width."""
    said, targets, weights = learner.judged(answers, np.random.default_rng(number))
    columns = range(targets.shape[1])
    values = None if learner.multiple else tuple(map(float, columns))
    told = report(said, targets, tuple(columns), learner.multiple, number, values, weights)
    there = targets.sum(axis=0) > 0
    found = [("f1", told["classes"][i]["f1"], truth.classes["f1"][i]) for i in columns if there[i]]
    ranked = np.array([each["roc_auc"] is not None for each in told["classes"]])
    for names, known in ((("macro_f1", "balanced_accuracy"), there), (RANKS, ranked)):
        found += [(name, told[name], truth.classes[name][known].mean()) for name in names if known.any()]
    found.append(("error", told["calibration"], truth.all["error"]))
    if values is not None:
        found.append(("off", told["mean_absolute_error"], truth.all["off"]))
    return [(name, *_held(estimate, true)) for name, estimate, true in found if estimate is not None]


def _held(estimate: dict[str, Any], true: float) -> tuple[bool, float]:
    low, high = estimate["low"], estimate["high"]
    return bool(low - 1e-4 <= true <= high + 1e-4), high - low


def main() -> None:
    """Measure every kind and print a table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--projects", type=int, default=300)
    given.add_argument("--kind", choices=KINDS, action="append", help="one of them; all unless given")
    options = given.parse_args()
    print(
        "| classes | accuracy | answers | F1 of a class | macro F1 | balanced accuracy | ROC area | average precision",
        end="",
    )
    print(" | calibration error | mean absolute error |\n" + "|---" * 10 + "|")
    for kind in options.kind or KINDS:
        for gap in GAPS:
            learner = Learner(kind, gap)
            truth = truth_of(learner)
            for answers in ANSWERS:
                _print(learner, truth, answers, options.projects)


def _print(learner: Learner, truth: Truth, answers: int, projects: int) -> None:
    held: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for number in range(projects):
        for name, holds, width in project(number, learner, truth, answers):
            held[name].append((holds, width))
    cells = []
    for name in FIGURES:
        share, wide = np.array(held[name], dtype=np.float64).mean(axis=0) if held[name] else (np.nan, np.nan)
        cells.append(f"{100 * share:.0f} % ({wide:.2f})" if held[name] else "–")
    print(f"| {learner.kind} | {truth.all['accuracy']:.2f} | {answers} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
