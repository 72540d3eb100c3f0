"""Do chosen audit items, and the model's own expectation, narrow the band, and do their intervals hold?

Part of `python -m benchmarks.evaluation active|powered|limits`: pools of 20,000 with known chances of error, and the
product's learner on real sets. A project is judged after each of its rounds, by all draws so far. Seeds are its number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from sklearn.isotonic import IsotonicRegression

from app.core.arrays import Booleans, Doubles, Indices
from app.evaluation import prediction_powered
from app.evaluation.active_testing import Judged, accuracy, chances_of, drawn, expected_errors, proposal
from app.evaluation.draws import Draws
from app.evaluation.intervals import Estimate
from app.evaluation.sequence import LEVEL, counted, level_of
from app.learners import CannotFit, Model, make_learner
from app.loop.auditing import AuditSet
from app.loop.evaluate import Peek, evaluate
from app.loop.propose import Labelled, Plan
from app.loop.sets import Dataset
from benchmarks.datasets import dataset

POOL = 20_000
ROUNDS = 10
SHARE = 0.1
SETS = ("digits", "satellite", "letter", "trec", "sst2")
TAUGHT_FROM = 0.25  # of a real set, what the strategy chooses from; the rest is the pool that is judged
LABELS = 40  # a round
REAL_SHARE = 0.3


@dataclass(frozen=True)
class Round:
    """The learner of a round on every item of the pool: where it is wrong, and by which chance it thinks so, (n,)."""

    wrong: Booleans
    expected: Doubles


@dataclass
class Tally:
    """Over projects: how often the last interval of one look held, its lower end, and all of all rounds; the widths."""

    projects: int = 0
    held: int = 0
    lower: int = 0
    all_rounds: int = 0
    width: float = 0.0
    late_width: float = 0.0
    right: float = 0.0

    def add(self, once: list[Estimate], looks: list[Estimate], truths: list[float]) -> None:
        """One project: its intervals of one look and of all looks, and the truths, round by round."""
        last, truth = once[-1], truths[-1]
        self.projects += 1
        self.held += last.low <= truth <= last.high
        self.lower += last.low <= truth
        self.all_rounds += all(each.low <= one <= each.high for each, one in zip(looks, truths, strict=True))
        self.width += last.high - last.low
        self.late_width += looks[-1].high - looks[-1].low
        self.right += truth

    def cells(self, answers: int, population: int) -> str:
        """What a table says: coverages, widths, and how many random answers the same widths take."""
        n = self.projects
        accuracy_ = self.right / n
        wide = [self.width / n, self.late_width / n]
        needs = [needed(accuracy_, each, level, population) for each, level in zip(wide, LEVELS, strict=True)]
        shares = " | ".join(f"{100 * answers / each:.0f} %" for each in needs)
        held = " | ".join(f"{100 * each / n:.1f} %" for each in (self.held, self.lower, self.all_rounds))
        return f"{accuracy_:.3f} | {held} | {wide[0]:.3f} | {wide[1]:.3f} | {shares}"


LEVELS = (LEVEL, level_of(ROUNDS))
HEAD = (
    "holds at one look | its lower end | all ten rounds hold | width | width, ten looks "
    "| of the random answers for it | for ten looks |"
)


def needed(right: float, width: float, level: float, population: int) -> int:
    """How many random answers, counted, give an interval of that width at that accuracy."""
    low, high = 1, population
    while low < high:
        n = (low + high) // 2
        ends = counted(round(right * n), n, level, population)
        low, high = (low, n) if ends[1] - ends[0] <= width else (n + 1, high)
    return low


def _sharp(rng: Generator) -> tuple[Doubles, Doubles]:
    chance = np.where(rng.random(POOL) < 0.75, 0.01, rng.uniform(0.1, 0.6, POOL))
    return chance, chance


def _good(rng: Generator) -> tuple[Doubles, Doubles]:
    chance = np.where(rng.random(POOL) < 0.85, 0.003, rng.uniform(0.05, 0.4, POOL))
    return chance, chance


def _smooth(rng: Generator) -> tuple[Doubles, Doubles]:
    chance = rng.beta(0.4, 3, POOL)
    return chance, chance


def _even(rng: Generator) -> tuple[Doubles, Doubles]:
    return np.full(POOL, 0.12), np.full(POOL, 0.12)


def _mistaken(rng: Generator) -> tuple[Doubles, Doubles]:
    return np.full(POOL, 0.12), rng.beta(0.5, 3, POOL)


def _overconfident(rng: Generator) -> tuple[Doubles, Doubles]:
    chance = np.where(rng.random(POOL) < 0.75, 0.03, rng.uniform(0.1, 0.6, POOL))
    return chance, np.where(chance < 0.05, 0.0005, chance)


LEARNERS: dict[str, Callable[[Generator], tuple[Doubles, Doubles]]] = {
    "knows its weak quarter": _sharp,
    "knows its weak seventh": _good,
    "knows, no sharp border": _smooth,
    "errs alike everywhere": _even,
    "believes in weak spots that are none": _mistaken,
    "is sixty times too sure of its strong side": _overconfident,
}


def _imagined(make: Callable[[Generator], tuple[Doubles, Doubles]], project: int) -> tuple[Indices, list[Round]]:
    """The audit set, and the rounds: the chances of error fall to what they are, each round on other items."""
    rng = np.random.default_rng([5, project])
    chance, expected = make(rng)
    audits = np.flatnonzero(rng.random(POOL) < SHARE)
    falls = [1 + 2 * (ROUNDS - number) / ROUNDS for number in range(1, ROUNDS + 1)]
    rounds = [
        Round(rng.random(POOL) < np.minimum(fall * chance, 0.9), np.minimum(fall * expected, 0.9)) for fall in falls
    ]
    return audits, rounds


def _real(data: Dataset, project: int) -> tuple[Indices, list[Round]]:
    """The product's learner, taught by margin's choice from a quarter of the set, on the rest; answers kept apart."""
    rng = np.random.default_rng([6, project])
    order = rng.permutation(len(data.pool))
    cut = round(TAUGHT_FROM * len(order))
    offered, judged = order[:cut], order[cut:]
    taught = offered[:LABELS]
    rounds: list[Round] = []
    pool, targets = data.pool.take(judged), data.targets
    while len(rounds) < ROUNDS:
        block = data.pool.take(taught)
        learner = make_learner("auto", {}, block, len(data.classes))
        try:
            model = learner.fit(block, targets[taught], np.ones(len(taught)), multiple=False, seed=project)
        except CannotFit:
            taught = offered[: len(taught) + LABELS]
            continue
        said = model.probabilities(pool)
        wrong = targets[judged][np.arange(len(judged)), said.argmax(axis=1)] < 0.5
        rounds.append(Round(wrong, expected_errors(said, multiple=False)))
        rest = np.setdiff1d(offered, taught)
        closest = np.sort(model.probabilities(data.pool.take(rest)), axis=1)
        taught = np.concatenate([taught, rest[np.argsort(closest[:, -1] - closest[:, -2], kind="stable")[:LABELS]]])
    audits = np.flatnonzero(rng.random(len(judged)) < REAL_SHARE)
    return audits, rounds


def _draws(audits: Indices, rounds: list[Round], a_round: int, active: bool, rng: Generator) -> list[Draws]:
    """All draws until each round is judged: the learner of the round before drew them, the first ones chance."""
    made: list[Draws] = []
    known, left = _none(audits), audits
    for number in range(len(rounds)):
        errors = rounds[number - 1].expected[left] if number and active else np.full(len(left), np.nan)
        known, left = _more(known, left, errors, a_round, rng)
        made.append(known)
    return made


def _none(audits: Indices) -> Draws:
    return Draws(audits[:0], np.empty(0), audits[:0], audits)


def _more(known: Draws, left: Indices, errors: Doubles, count: int, rng: Generator) -> tuple[Draws, Indices]:
    """Draws after so many more of what is left, by its expected errors; and what is left then."""
    chances = proposal(errors)
    order = drawn(chances, count, rng)
    remaining = len(left) - np.arange(len(order))
    return Draws(
        np.concatenate([known.items, left[order]]),
        np.concatenate([known.chances, chances_of(order, chances)]),
        np.concatenate([known.left, remaining]),
        known.frame,
    ), np.delete(left, order)


def _taught(
    data: Dataset, project: int, a_round: int, active: bool, powered: bool
) -> tuple[list[Estimate], list[Estimate], list[float]]:
    """Intervals of one look and of all looks, and the truths, of a project whose audit answers teach too.

    The truth is on the rows that could be neither chosen nor audited: nothing learned from them.
    """
    rng = np.random.default_rng([8, project])
    rows = rng.permutation(len(data.pool))
    cut = round(TAUGHT_FROM * len(rows))
    offered, judged = rows[:cut], rows[cut:]
    reserved = rng.random(len(judged)) < REAL_SHARE
    known, left, apart = _none(judged[reserved]), judged[reserved], judged[~reserved]
    plan = Plan(tuple(range(len(data.classes))), False, data.modality, seed=project)
    chosen, model = offered[:LABELS], None
    once: list[Estimate] = []
    looks: list[Estimate] = []
    truths: list[float] = []
    for look in range(1, ROUNDS + 1):
        errors = _expected(data, left, model) if active and model is not None else np.full(len(left), np.nan)
        known, left = _more(known, left, errors, a_round, rng)
        model = _fitted(labelled := _labelled(data, chosen, known.items), plan)
        audits = AuditSet(known, active, powered, left, partial(_expected, data, left))
        found = evaluate(labelled, None, plan, model, lambda _step, _fraction: None, Peek(look, None, audits)).audit
        assert found is not None
        once.append(Estimate(**found["accuracy_at_one_look"]))
        looks.append(Estimate(**found["accuracy"]))
        said = model.probabilities(data.pool.take(apart))
        truths.append(float((said.argmax(axis=1) == data.labels[apart]).mean()))
        rest = np.setdiff1d(offered, chosen)
        two = np.sort(model.probabilities(data.pool.take(rest)), axis=1)[:, -2:]
        chosen = np.concatenate([chosen, rest[np.argsort(two[:, 1] - two[:, 0], kind="stable")[:LABELS]]])
    return once, looks, truths


def _expected(data: Dataset, rows: Indices, model: Model | None) -> Doubles:
    assert model is not None
    return expected_errors(model.probabilities(data.pool.take(rows)), multiple=False)


def _labelled(data: Dataset, chosen: Indices, audits: Indices) -> Labelled:
    rows = np.concatenate([chosen, audits])
    ids = np.stack([rows, np.zeros_like(rows), np.ones_like(rows)], axis=1)
    audited = np.arange(len(rows)) >= len(chosen)
    return Labelled(ids, data.pool.take(rows), data.targets[rows], np.ones(len(rows)), audited)


def _fitted(labelled: Labelled, plan: Plan) -> Model:
    learner = make_learner("auto", {}, labelled.block, len(plan.classes))
    return learner.fit(labelled.block, labelled.targets, labelled.weights, multiple=False, seed=plan.seed)


def _judged(draws: Draws, each: Round, level: float, powered: bool, population: int) -> Estimate:
    judged = Judged(draws, (~each.wrong[draws.items]).astype(np.float64), np.ones(len(draws.items), dtype=np.bool_))
    if powered:
        mean = float(each.expected[draws.frame].mean())
        found = prediction_powered.accuracy(judged, each.expected[draws.items], mean, level, population)
        if found is not None:
            return found.estimate
    if draws.uniform:
        right = int(judged.hits.sum())
        return Estimate(right / judged.n, *counted(right, judged.n, level, population), judged.n)
    plain = accuracy(judged, level, population)
    assert plain is not None
    return plain


def _row(worlds: Iterator[tuple[Indices, list[Round]]], answers: int, active: bool, powered: bool) -> tuple[Tally, int]:
    tally, population = Tally(), 0
    for project, (audits, rounds) in enumerate(worlds):
        rng = np.random.default_rng([7, project])
        draws = _draws(audits, rounds, answers // ROUNDS, active, rng)
        population = len(rounds[0].wrong)
        both = [
            [
                _judged(made, each, LEVEL if once else level_of(look), powered, population)
                for look, (made, each) in enumerate(zip(draws, rounds, strict=True), 1)
            ]
            for once in (True, False)
        ]
        tally.add(both[0], both[1], [1 - float(each.wrong.mean()) for each in rounds])
    return tally, population


def _tables(projects: range, ways: dict[str, tuple[bool, bool]]) -> None:
    print(
        f"Pools of {POOL:,}, audit share {SHARE}, ten rounds; 'of the random answers': this many for the same width.\n"
    )
    print(f"| the learner | answers | how | accuracy | {HEAD}")
    print("|---|---|---|---|" + "---|" * 7)
    for name, make in LEARNERS.items():
        for answers in (100, 200):
            for way, (active, powered) in ways.items():
                worlds = (_imagined(make, project) for project in projects)
                tally, population = _row(worlds, answers, active, powered)
                print(f"| {name} | {answers} | {way} | {tally.cells(answers, population)} |", flush=True)
    print("\nThe product's learner on real sets, 400 labels chosen by margin, audit share 0.3:\n")
    print(f"| set | pool | answers | how | accuracy | {HEAD}")
    print("|---|---|---|---|---|" + "---|" * 7)
    for name in SETS:
        _of_set(name, dataset(name), tenth_of(projects), ways)


def tenth_of(projects: range) -> range:
    """A tenth of the projects for real learners, which cost a hundred times as much."""
    return range(max(10, len(projects) // 10))


def _of_set(name: str, data: Dataset, projects: range, ways: dict[str, tuple[bool, bool]]) -> None:
    worlds = [_real(data, project) for project in projects]
    for answers in (100, 200):
        if answers > 0.8 * min(len(audits) for audits, _ in worlds):
            continue
        for way, (active, powered) in ways.items():
            tally, population = _row(iter(worlds), answers, active, powered)
            print(f"| {name} | {population} | {answers} | {way} | {tally.cells(answers, population)} |", flush=True)


def active(projects: range) -> None:
    """Random audit items that are counted beside chosen ones that are weighed."""
    _tables(projects, {"random": (False, False), "active": (True, False)})
    print("\nThe same, where audit answers teach too (claimed of the lower ends alone):\n")
    print("| set | how | all ten rounds hold | their lower ends hold | off by | width | width, ten looks |")
    print("|---|---|---|---|---|---|---|")
    ways = {"random": (False, False), "active": (True, False), "active, powered": (True, True)}
    for name in SETS[:2]:
        data = dataset(name)
        for way, each in ways.items():
            print(f"| {name} | {way} | {_teaching(data, tenth_of(projects), *each)} |", flush=True)


def _teaching(data: Dataset, projects: range, active: bool, powered: bool) -> str:
    held = np.zeros(2)
    off, widths = [], []
    for project in projects:
        once, looks, truths = _taught(data, project, 20, active, powered)
        lower = all(each.low <= truth for each, truth in zip(looks, truths, strict=True))
        held += lower and all(truth <= each.high for each, truth in zip(looks, truths, strict=True)), lower
        off.append(np.mean([each.value - truth for each, truth in zip(looks, truths, strict=True)]))
        widths.append([once[-1].high - once[-1].low, looks[-1].high - looks[-1].low])
    shares = " | ".join(f"{100 * each / len(projects):.0f} %" for each in held)
    wide = " | ".join(f"{each:.3f}" for each in np.mean(widths, axis=0))
    return f"{shares} | {100 * np.mean(off):+.1f} points | {wide}"


def limits(projects: range) -> None:
    """What no choice by the learner's own word can beat: its chances of error, calibrated on the truth of the pool.

    Beside it what the product's choice comes to, with as many draws of as large a pool.
    """
    print("| set | accuracy | weighed | least | with the expectation | least with it |\n|---|---|---|---|---|---|")
    for name in SETS:
        data = dataset(name)
        last = [_real(data, project)[1][-1] for project in tenth_of(projects)]
        figures = np.mean([[*_reached(each), *_least(each)] for each in last], axis=0)[[0, 2, 1, 3]]
        right = 1 - np.mean([each.wrong.mean() for each in last])
        print(f"| {name} | {right:.3f} | {' | '.join(f'{100 * each:.0f} %' for each in figures)} |", flush=True)


def _reached(each: Round) -> tuple[float, float]:
    """The variance of one draw by `proposal` over that of chance: weighed, and with the factor of least variance.

    That of a draw's (wrong - f expected) / (n q), by which the answers correct the mean of f expected.
    """
    wrong = each.wrong.astype(np.float64)
    known, chances = each.expected, proposal(each.expected)
    square = len(wrong) ** 2 * chances

    def shared(one: Doubles, other: Doubles) -> float:
        return float((one * other / square).sum() - one.mean() * other.mean())

    plain, apart, both = shared(wrong, wrong), shared(known, known), shared(wrong, known)
    factor = np.clip(both / apart, 0.0, 1.0) if apart > 0 else 0.0
    left = plain - 2 * factor * both + factor**2 * apart
    mean = wrong.mean()
    return plain / (mean * (1 - mean)), left / (mean * (1 - mean))


def _least(each: Round) -> tuple[float, float]:
    """The variance of the best choice over that of chance, as many draws of a large pool.

    With p the chance of error, rising with what the learner expects: ((E sqrt p)^2 - (E p)^2) / (E p (1 - E p)), and
    (E sqrt(p (1 - p)))^2 / (E p (1 - E p)) where p is known of every item beside the draws.
    """
    wrong = each.wrong.astype(np.float64)
    chance = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(each.expected, wrong)
    mean = wrong.mean()
    weighed = np.sqrt(chance).mean() ** 2 - mean**2
    both = np.sqrt(chance * (1 - chance)).mean() ** 2
    return float(weighed / (mean * (1 - mean))), float(both / (mean * (1 - mean)))


def powered(projects: range) -> None:
    """The same two with the learner's own expectation."""
    _tables(projects, {"random, powered": (False, True), "active, powered": (True, True)})


__all__ = ["active", "limits", "powered"]
