"""Bands where items come in late, shares change or items are passed over: `python -m benchmarks.pushes [--projects N]`.

A project gets some audit answers between one push and the next, each push of items that a learner gets right with
another chance (in the worst case all of them or none, by turns), and a look at the end of each 20 answers. Held against
the truth of the whole pool at that moment: the band of the product (`evaluation/reach.py`), and that of all audit
answers counted alike. Seeds are the numbers of the projects. One process; 1,000 projects a row take half a minute.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.arrays import Booleans, Doubles, Indices
from app.evaluation.intervals import Estimate
from app.evaluation.reach import END, Audited, Pool, Shares, over_all, reach
from app.evaluation.sequence import at_look

ACCURACIES = (0.95, 0.7, 0.4)  # of what comes in, drawn for each push
AT_ONCE = 20  # audit answers between two looks
NOTHING = Estimate(0.0, 0.0, 1.0, 0)


@dataclass(frozen=True)
class Setting:
    """Pushes of so many items, the audit share of each, the answers after each, and the share of items passed over.

    What is passed over is got right in half of the cases, whatever the push; in the worst case never.
    """

    words: str
    pushes: tuple[int, ...]
    shares: tuple[float, ...]
    answers: int
    passed: float = 0.0
    worst: bool = False


SETTINGS = (
    Setting("one push", (5_000,), (0.1,), 200),
    Setting("one push, then as many again", (2_500, 2_500), (0.1, 0.1), 100),
    Setting("one push, then a tenth more", (5_000, 500), (0.1, 0.1), 100),
    Setting("one push, then nine times as many", (500, 4_500), (0.1, 0.1), 100),
    Setting("twenty pushes", (250,) * 20, (0.1,) * 20, 20),
    Setting("audit share 0.05, then 0.9", (4_300, 700), (0.05, 0.9), 100),
    Setting("audit share 0.3, then 0.05", (2_500, 2_500), (0.3, 0.05), 100),
    Setting("audit share 0, then 0.1", (1_000, 4_000), (0.0, 0.1), 100),
    Setting("a third is of a slice that nobody labels", (5_000,), (0.1,), 200, 1 / 3),
    Setting("as many again, the worst case", (2_500, 2_500), (0.1, 0.1), 100, worst=True),
    Setting("a tenth more, the worst case", (5_000, 500), (0.1, 0.1), 100, worst=True),
    Setting("nine times as many, the worst case", (500, 4_500), (0.1, 0.1), 100, worst=True),
    Setting("a third that nobody labels, the worst case", (5_000,), (0.1,), 200, 1 / 3, worst=True),
)


@dataclass(frozen=True)
class Look:
    """Whether each band held the truth, how wide it was, and of which share of the pool the answers spoke."""

    held: bool
    width: float
    alike: bool
    spoken: float


def main() -> None:
    """Measure every setting and print a table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--projects", type=int, default=1_000)
    options = given.parse_args()
    print(
        "| what comes in | looks | all hold | width at the first, last | speaks of at the first, last | counted alike |"
    )
    print("|---|---|---|---|---|---|")
    for setting in SETTINGS:
        _print(setting, [project(number, setting) for number in range(options.projects)])


def project(number: int, setting: Setting) -> list[Look]:
    """The looks of a project, the first one once its newest push is there."""
    rng = np.random.default_rng(number)
    since = np.concatenate([[0], np.cumsum(setting.pushes)])
    total = int(since[-1])
    chances = rng.choice(ACCURACIES, len(setting.pushes))
    if setting.worst:
        chances = (np.arange(len(setting.pushes)) + number) % 2 if setting.passed == 0 else np.ones(1)
    passed = rng.random(total) < setting.passed
    right = rng.random(total) < np.where(passed, 0.0 if setting.worst else 0.5, np.repeat(chances, setting.pushes))
    places, draws = rng.random(total), rng.permutation(total)
    share = np.repeat(setting.shares, setting.pushes)
    ids = np.flatnonzero(places < share)
    given = np.zeros(len(ids), dtype=np.bool_)
    found: list[Look] = []
    for push, end in enumerate(since[1:]):
        here = ids < end
        audited = _audited(ids[here], draws, given[here], places, setting)
        if push and push == len(setting.pushes) - 1:
            found.append(_look(audited, setting, since, right, 1 + len(found)))
        for _ in range(setting.answers // AT_ONCE):
            _give(ids, draws, given, here & ~passed[ids])
            audited = _audited(ids[here], draws, given[here], places, setting)
            if push == len(setting.pushes) - 1:
                found.append(_look(audited, setting, since, right, 1 + len(found)))
    return found


def _give(ids: Indices, draws: Indices, given: Booleans, open_: Booleans) -> None:
    """The next items of the order, among those that people get."""
    left = np.flatnonzero(open_ & ~given)
    given[left[np.argsort(draws[ids[left]])[:AT_ONCE]]] = True


def _audited(ids: Indices, draws: Indices, given: Booleans, places: Doubles, setting: Setting) -> Audited:
    several = len(set(setting.shares)) > 1
    return Audited(ids, draws[ids], given, given, np.zeros_like(given), places[ids] if several else None)


def _look(audited: Audited, setting: Setting, since: Indices, right: Booleans, look: int) -> Look:
    ends = [int(end) - 1 for end in since[1:-1]]
    pool = Pool(np.array([*ends, END]), since[1:])
    spoken = reach(audited, Shares(since[:-1], np.array(setting.shares)), pool, ends)
    hits: Doubles = right[audited.ids[spoken.told]].astype(np.float64)
    all_hits: Doubles = right[audited.ids[audited.given]].astype(np.float64)
    silent = int(spoken.unknown.sum())
    truth = float(right.mean())
    low, high = (at_look(np.append(hits, np.full(silent, each)), look) for each in (0.0, 1.0))
    mine = Estimate(0.0, low.low, high.high, len(hits)) if len(hits) and low and high else None
    theirs = at_look(all_hits, look, len(right))
    whole = over_all(mine or NOTHING, spoken.share)
    other = theirs or NOTHING
    held, counted = (each.low <= truth <= each.high for each in (whole, other))
    return Look(held, whole.high - whole.low, counted, 0.0 if mine is None else spoken.known)


def _print(setting: Setting, projects: Sequence[Sequence[Look]]) -> None:
    held = np.mean([all(look.held for look in looks) for looks in projects])
    alike = np.mean([all(look.alike for look in looks) for looks in projects])
    ends = [[looks[at] for looks in projects] for at in (0, -1)]
    widths = ", ".join(f"{np.mean([look.width for look in looks]):.3f}" for looks in ends)
    spoken = ", ".join(f"{100 * np.mean([look.spoken for look in looks]):.0f} %" for looks in ends)
    count = len(projects[0])
    print(f"| {setting.words} | {count} | {100 * held:.1f} % | {widths} | {spoken} | {100 * alike:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
