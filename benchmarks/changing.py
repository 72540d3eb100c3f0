"""Bands where audit items are chosen and the audit set changes: `python -m benchmarks.changing [--projects N]`.

A simulated project whose audit set grows, has items taken out of it and gets them back between draws by what an
imagined learner expects of each item: 0.1 where it is right and 0.4 where it is wrong, times 0.5 to 1.5. Taken out are
items that nobody drew yet, or also drawn ones, which have no answer then. Held against the truth of the audit set as it
is at the end: the band of one look (`evaluation/draws.py`). Seeds are the numbers of the projects. One process; 1,000
projects a row take some minutes.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from app.core.arrays import Booleans, Indices
from app.evaluation.active_testing import Judged, accuracy, chances_of, drawn, proposal
from app.evaluation.draws import Draws
from app.evaluation.frames import Frame, draws_at, gone_at
from app.evaluation.intervals import Estimate
from app.evaluation.reach import of_what_is_left, over_all

LEVEL = 0.05


@dataclass
class Project:
    """The audit set of a project: what the learner gets right, which items are there, and the draws so far."""

    rng: Generator
    right: Booleans = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    there: Booleans = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    items: list[int] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    frame: Frame = field(default_factory=Frame.empty)

    def push(self, count: int, accuracy: float, *, there: bool = True) -> Indices:
        """So many new items, which the learner gets right with a chance; their ids."""
        first = len(self.right)
        self.right = np.append(self.right, self.rng.random(count) < accuracy)
        self.there = np.append(self.there, np.full(count, there))
        return np.arange(first, first + count)

    def open(self) -> Indices:
        """Ids of what can be drawn."""
        return np.setdiff1d(np.flatnonzero(self.there), self.items).astype(np.int64)

    def draw(self, count: int) -> None:
        """Deal an order of what is open, and draw the first ones of it."""
        open_ = self.open()
        now = np.union1d(open_, np.array(self.items, dtype=np.int64))
        place = len(self.items)
        self.frame = self.frame.dealt(now, np.full(len(now), place), place)
        count = min(count, len(open_))
        if not count:
            return
        expected = np.where(self.right[open_], 0.1, 0.4) * self.rng.uniform(0.5, 1.5, len(open_))
        chances = proposal(expected)
        order = drawn(chances, count, self.rng)
        self.items += open_[order].tolist()
        self.chances += chances_of(order, chances).tolist()
        self.left += (len(open_) - np.arange(count)).tolist()

    def take_out(self, ids: Indices, part: float, *, drawn_too: bool) -> Indices:
        """Take a part of some items out, by chance; which."""
        some = ids[self.there[ids]] if drawn_too else np.intersect1d(ids, self.open())
        some = self.rng.permutation(some)[: round(part * len(some))]
        self.there[some] = False
        return some

    def bring_back(self, ids: Indices) -> None:
        """Put items back in."""
        self.there[ids] = True

    def band(self) -> Estimate:
        """The accuracy of all that is there, at one look."""
        items = np.array(self.items, dtype=np.int64)
        count = len(items)
        frame = np.union1d(np.flatnonzero(self.there), items)
        here = self.there[items]
        draws = Draws(
            items, np.array(self.chances), np.array(self.left), frame,
            since=draws_at(self.frame.entered(frame, count), np.arange(count)),
            gone=gone_at(self.frame.gone_by(count, frame), np.arange(count)), answered=here, out=~here,
        )  # fmt: skip
        found = accuracy(Judged(draws, self.right[items].astype(np.float64), here), LEVEL)
        if found is None:
            return Estimate(0.5, 0.0, 1.0, 0)
        share = float((frame <= draws.told_to).mean()) * draws.part
        return over_all(of_what_is_left(found, draws.taken_out, draws.lost), share)


Course = Callable[[Project, bool], None]  # what happens in a project, and whether drawn items are taken out too


def taken_out(part: float, more: int = 0) -> Course:
    """Forty draws, then a part of the audit set is taken out by chance; so many more draws."""

    def course(project: Project, drawn_too: bool) -> None:
        items = project.push(200, 0.8)
        project.draw(40)
        project.take_out(items, part, drawn_too=drawn_too)
        project.draw(more)

    return course


def swapped(accuracy: float, more: int) -> Course:
    """Items are drawn while a third is out; then that third comes back, and another one is taken out."""

    def course(project: Project, drawn_too: bool) -> None:
        project.push(100, 0.95)
        first = project.push(100, 0.95)
        other = project.push(100, accuracy, there=False)
        project.draw(40)
        project.take_out(first, 1.0, drawn_too=drawn_too)
        project.bring_back(other)
        project.draw(more)

    return course


def old_push_out(accuracy: float, more: int, part: float = 1.0) -> Course:
    """A push, draws, another push of another accuracy, draws; then the first push is taken out."""

    def course(project: Project, drawn_too: bool) -> None:
        first = project.push(300, 0.95)
        project.draw(40)
        project.push(100, accuracy)
        project.draw(20)
        project.take_out(first, part, drawn_too=drawn_too)
        project.draw(more)

    return course


def drawn_empty(more: int) -> Course:
    """A small audit set is drawn but for one item, then twice as many others come back."""

    def course(project: Project, drawn_too: bool) -> None:
        project.push(40, 0.9)
        others = project.push(80, 0.05, there=False)
        project.draw(39)
        project.bring_back(others)
        project.draw(more)

    return course


def anything(project: Project, drawn_too: bool) -> None:
    """Pushes, removals and returns by chance between draws."""
    rng = project.rng
    project.push(200, rng.choice([0.6, 0.8, 0.95]))
    out: list[Indices] = []
    for _ in range(7):
        project.draw(int(rng.integers(3, 15)))
        what = rng.random()
        if what < 0.3:
            project.push(int(rng.integers(20, 150)), rng.choice([0.3, 0.6, 0.8, 0.95]))
        elif what < 0.6:
            out.append(
                project.take_out(np.flatnonzero(project.there), rng.uniform(0.1, 0.7), drawn_too=drawn_too)
            )  # fmt: skip
        elif what < 0.9 and out:
            project.bring_back(out.pop())
    project.draw(8)


COURSES: dict[str, Course] = {
    "nothing": taken_out(0.0),
    "one in fifty is taken out": taken_out(0.02),
    "a tenth is taken out": taken_out(0.1),
    "a tenth is taken out, 40 draws more": taken_out(0.1, 40),
    "half is taken out": taken_out(0.5),
    "half is taken out, 40 draws more": taken_out(0.5, 40),
    "a third (0.1 right) back for another (0.95)": swapped(0.1, 0),
    "the same, 5 draws more": swapped(0.1, 5),
    "the same, 40 draws more": swapped(0.1, 40),
    "the old push (0.95) out, the new one (0.5) stays": old_push_out(0.5, 0),
    "the same, 20 draws more": old_push_out(0.5, 20),
    "nine tenths of the old push out": old_push_out(0.5, 0, 0.9),
    "the same, 20 draws more ": old_push_out(0.5, 20, 0.9),
    "drawn but for one, then others (0.05) come back": drawn_empty(0),
    "the same, all drawn": drawn_empty(100),
    "pushes, removals and returns by chance": anything,
}


def main() -> None:
    """Measure every course and print a table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--projects", type=int, default=1_000)
    projects = range(given.parse_args().projects)
    told = "undrawn ones taken out: said, true, holds, width"
    print(f"| what happens | {told} | drawn ones as well, without their answers then |")
    print("|---|---|---|")
    for words, course in COURSES.items():
        open_, all_ = ([look(number, course, drawn_too) for number in projects] for drawn_too in (False, True))
        print(f"| {words.strip()} | {_words(open_)} | {_words(all_)} |", flush=True)


def look(number: int, course: Course, drawn_too: bool) -> tuple[Estimate, float]:
    """The band of a project at its end, and the truth."""
    project = Project(np.random.default_rng(number))
    course(project, drawn_too)
    return project.band(), float(project.right[project.there].mean())


def _words(looks: Sequence[tuple[Estimate, float]]) -> str:
    said, true = (np.mean(each) for each in ([band.value for band, _ in looks], [truth for _, truth in looks]))
    held = np.mean([band.low - 1e-9 <= truth <= band.high + 1e-9 for band, truth in looks])
    width = np.mean([band.high - band.low for band, _ in looks])
    return f"{said:.2f}, {true:.2f}, {100 * held:.1f} %, {width:.2f}"


if __name__ == "__main__":
    main()
