"""How often a slice is called worse rightly and falsely: `python -m benchmarks.slices [--projects 300] [--gap 0.2]`.

Projects of 30 rounds, six columns of four values each, audit answers as a project has them (`benchmarks.evaluation`), a
learner that gets better and another one each round. First no slice differs: any that is called worse is a false alarm.
Then one value of one column, a quarter of the items, has an accuracy so many points lower than the rest. Seeds are the
numbers of the projects. One process; a project takes a second or so.
"""

import argparse
from typing import Any

import numpy as np

from app.evaluation.slices import worst
from benchmarks.evaluation import audit_answers

ROUNDS = 30
COLUMNS, VALUES = 6, 4
GAPS = (0.0, 0.2, 0.4)
BAD = ("c0", "v0")
SAID = ("worse", "likely")
ACCURACY = (0.6, 0.9)  # in the first round, and from the fifteenth on


def main() -> None:
    """Measure every gap and print a table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--projects", type=int, default=300)
    given.add_argument("--gap", type=float, action="append", help="one of them; all unless given")
    options = given.parse_args()
    print("| slice lower by | said | false in a round | false in any of 30 | found in round 10 | 20 | 30 |")
    print("|---|---|---|---|---|---|---|")
    for gap in options.gap or GAPS:
        _print(gap, [project(number, gap) for number in range(options.projects)])


def project(number: int, gap: float) -> list[list[tuple[bool, bool]]]:
    """Of each round, for `worse` and `likely`: whether it is said of the bad slice, and whether of another one."""
    rng = np.random.default_rng(number)
    columns: dict[str, list[Any]] = {f"c{column}": [] for column in range(COLUMNS)}
    difficulty = np.empty(0)
    found = []
    for look in range(1, ROUNDS + 1):
        fresh = audit_answers(look) - len(difficulty)
        difficulty = np.concatenate([difficulty, rng.random(fresh)])
        for values in columns.values():
            values += [f"v{each}" for each in rng.integers(0, VALUES, fresh)]
        bad = np.array(columns[BAD[0]]) == BAD[1]
        accuracy = ACCURACY[0] + (ACCURACY[1] - ACCURACY[0]) * min(1.0, look / 15) - gap * bad
        shifted = (difficulty + 0.3 * rng.random(len(difficulty))) % 1  # a learner that is another one on some items
        report = worst((shifted < accuracy).astype(np.float64), columns, look)
        rows = report["worst"] if report else []
        named = [[(each["column"], each["value"]) for each in rows if each[name]] for name in SAID]
        found.append([(BAD in each and gap > 0, any(one != BAD or gap == 0 for one in each)) for each in named])
    return found


def _print(gap: float, projects: list[list[list[tuple[bool, bool]]]]) -> None:
    rows = np.array(projects)  # projects, rounds, worse or likely, found or false
    for place, name in enumerate(SAID):
        false = rows[:, :, place, 1]
        cells = [100 * false.mean(), 100 * false.any(axis=1).mean()]
        power = [100 * rows[:, at - 1, place, 0].mean() for at in (10, 20, 30)]
        shown = " | ".join(f"{each:.1f} %" for each in cells + power)
        print(f"| {100 * gap:.0f} points | {name} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
