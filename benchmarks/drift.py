"""How often the comparison of new items with earlier ones alarms: `python -m benchmarks.drift [--projects 200]`.

Simulated projects of which items come in again and again: after 500 earlier items (of digits: pictures as 64 numbers;
of texts: made ones, described by n-grams that learn from both sides) 60 at a time, 20 times, with a look whenever the
new items grew by a quarter. Nobody labels the new ones, so all looks are of one comparison that grows. Told: how many
projects heard an alarm, and after how many new items half of those did. `same` is no change: at most 5 % may alarm. In
the others what comes in is from elsewhere: one in ten, or all, of a class that the earlier items lack; pictures a
little darker or noisier; texts in which a tenth of the words are new, or that are three times as long.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from app.core.arrays import Floats, Indices
from app.evaluation.drift import FEWEST, GROWN, MOST, alarms, told_apart
from app.featurizers import make_featurizer
from app.loop.executors import one_thread

EARLIER, PUSH, PUSHES = 500, 60, 20
Draw = Callable[[np.random.Generator], tuple[Sequence[Any], Iterator[Sequence[Any]]]]


def main() -> None:
    """Simulate and print the table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--projects", type=int, default=200)
    given.add_argument("--only", default="")
    options = given.parse_args()
    print("| items | change | projects | alarms | new items at half of the alarms |")
    print("|---|---|---|---|---|")
    with one_thread():
        for name, draw in WORLDS.items():
            if options.only in name:
                _row(name, draw, options.projects)


def _row(name: str, draw: Draw, projects: int) -> None:
    found = [_project(draw, seed) for seed in range(projects)]
    told = [each for each in found if each is not None]
    middle = f"{np.median(told):.0f}" if told else "–"
    items, change = name.split(": ")
    print(f"| {items} | {change} | {projects} | {100 * len(told) / projects:.1f} % | {middle} |", flush=True)


def _project(draw: Draw, seed: int) -> int | None:
    """After how many new items a project alarms; None where it never does."""
    earlier, pushes = draw(np.random.default_rng([seed, 7]))
    new: list[Any] = []
    look, seen = 0, 0
    for push in pushes:
        new += push
        if len(new) >= max(FEWEST, GROWN * seen):
            look, seen = look + 1, len(new)
            if alarms(told_apart(*_described(earlier[:MOST], new[:MOST]), seed + look), look):
                return len(new)
    return None


def _described(earlier: Sequence[Any], new: Sequence[Any]) -> tuple[Floats, Floats]:
    """Vectors of both sides; of texts by a featurizer that learns from both."""
    if not isinstance(new[0], str):
        return np.stack(earlier), np.stack(new)
    featurizer = make_featurizer("ngrams", {})
    both = [*earlier, *new]
    dense = featurizer.transform(both, featurizer.fit(both)).dense
    return dense[: len(earlier)], dense[len(earlier) :]


def _digits(share: float, dim: float = 1.0, noise: float = 0.0) -> Draw:
    """Pictures of the digits 0 to 8; of the new ones a share are nines, dimmed and noisy."""

    def draw(rng: np.random.Generator) -> tuple[Sequence[Any], Iterator[Sequence[Any]]]:
        matrix, labels = load_digits(return_X_y=True)
        nines, others = matrix[labels == 9], matrix[labels != 9]
        others = others[rng.permutation(len(others))]

        def pushes() -> Iterator[Sequence[Any]]:
            rest = others[EARLIER:]
            for number in range(min(PUSHES, len(rest) // PUSH)):
                rows = rest[number * PUSH : (number + 1) * PUSH].copy()
                swapped = rng.random(PUSH) < share
                rows[swapped] = nines[rng.integers(0, len(nines), int(swapped.sum()))]
                rows = np.where(rows > 8, rows * dim, rows) + noise * rng.standard_normal(rows.shape)
                yield list(_unit(rows))

        return list(_unit(others[:EARLIER])), pushes()

    return draw


def _unit(rows: Floats) -> Floats:
    centered = rows - 5.0
    return np.asarray(centered / np.linalg.norm(centered, axis=1, keepdims=True), dtype=np.float32)


def _texts(fresh: float, longer: int = 1) -> Draw:
    """Made texts; of the new ones a share of the words are of another set, or they are longer."""

    def draw(rng: np.random.Generator) -> tuple[Sequence[Any], Iterator[Sequence[Any]]]:
        pushes = ([_text(rng, fresh, longer) for _ in range(PUSH)] for _ in range(PUSHES))
        return [_text(rng, 0.0, 1) for _ in range(EARLIER)], pushes

    return draw


def _text(rng: np.random.Generator, fresh: float, longer: int) -> str:
    numbers: Indices = np.minimum(rng.zipf(1.3, 20 * longer), 2_000)
    return " ".join(f"{'new' if rng.random() < fresh else 'word'}{number}" for number in numbers)


WORLDS: dict[str, Draw] = {
    "digits: same": _digits(0),
    "digits: one in ten of a new class": _digits(0.1),
    "digits: all of a new class": _digits(1),
    "digits: darker": _digits(0, dim=0.8),
    "digits: noisier": _digits(0, noise=2.0),
    "texts: same": _texts(0),
    "texts: a tenth of the words new": _texts(0.1),
    "texts: three times as long": _texts(0, longer=3),
}

if __name__ == "__main__":
    main()
