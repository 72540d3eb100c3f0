"""How audit answers judge a learner: counted, weighed by the chances of their draws, or with what it expects itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.evaluation import active_testing, prediction_powered
from app.evaluation.active_testing import Judged, expected_errors
from app.evaluation.draws import Draws
from app.evaluation.intervals import Estimate, share
from app.evaluation.metrics import hits
from app.evaluation.reach import of_what_is_left, over_all
from app.evaluation.sequence import LEVEL, at_look, level_of
from app.learners import Model
from app.loop.propose import Plan


@dataclass(frozen=True)
class AuditSet:
    """What is known of the audit set beside its answers.

    `draws`: all draws so far, None where chance alone ever gave audit items out; `chooses`: the learner draws them now.
    `waiting` (w,): ids of those without an answer, and `expected` a model's expected errors on them. `powered`: these
    correct the estimate. `told` (t,): ids of those whose answers judge, None for all; `excused` (e,): ids of those of
    their sample that people skipped, or said that nobody can answer. `share` of the pool is spoken of, in [0, 1], where
    `unknown` items of the answers' sample have no answer; `unheard` audit items are not spoken of in all, of which
    `ahead` come next.
    """

    draws: Draws | None = None
    chooses: bool = False
    powered: bool = False
    waiting: Indices | None = None
    expected: Callable[[Model | None], Doubles] | None = None
    told: Indices | None = None
    excused: Indices | None = None
    share: float = 1.0
    unknown: int = 0
    unheard: int = 0
    ahead: int = 0

    @property
    def chosen(self) -> bool:
        """Whether the audit answers are no uniform sample, so that they count by their weights alone."""
        return self.draws is not None and not self.draws.uniform

    @property
    def gone(self) -> float:
        """Which part of the items that were drawn from was taken out before anybody drew it, in [0, 1]."""
        return 0.0 if self.draws is None else self.draws.taken_out

    @property
    def lost(self) -> float:
        """Which part of them the draws stand for whose answers are missed, in [0, 1]."""
        return 0.0 if self.draws is None else self.draws.lost

    def tells_of(self, items: Indices) -> Booleans:
        """Which answered items (n,) judge: those of draws that are told of; where chance alone drew, see `told`."""
        if self.draws is not None and self.chosen:
            return np.isin(items, self.draws.items[self.draws.spoken])
        return np.ones(len(items), dtype=np.bool_) if self.told is None else np.isin(items, self.told)

    def of(self, model: Model | None) -> Doubles:
        """A model's expected errors on the items without an answer, (w,); none where nobody asks for them."""
        if not self.powered or self.expected is None:
            return np.empty(0)
        return self.expected(model)


BY_CHANCE = AuditSet()


@dataclass(frozen=True)
class Answers:
    """Audit answers that judge: their items (n,), what the learner says of them and what they are, (n, c).

    `waiting` (w,): the learner's expected errors on the items without an answer, where they are asked for.
    """

    items: Indices
    said: Floats
    targets: Floats
    waiting: Doubles


@dataclass(frozen=True)
class Verdict:
    """The accuracy at a look and at one alone, how it was estimated, and what the answers weigh (n,), 1 on average."""

    accuracy: Estimate | None
    at_one_look: Estimate | None
    how: dict[str, Any]
    weights: Doubles | None = None  # None: all alike


def verdict(answers: Answers, audits: AuditSet, plan: Plan, look: int, population: int | None) -> Verdict:
    """How right the learner is, by answers that the draws tell of; with an interval for this look and for one alone.

    Both are of the whole pool: of items that the answers do not speak of they reckon with all wrong and all right.
    """
    if audits.share == 1 and not audits.gone and not audits.lost:
        return _verdict(answers, audits, plan, look, population)
    found = _verdict(answers, audits, plan, look, None)
    now, once = (
        each and over_all(of_what_is_left(each, audits.gone, audits.lost), audits.share)
        for each in (found.accuracy, found.at_one_look)
    )
    return Verdict(now, once, found.how, found.weights)


def _verdict(answers: Answers, audits: AuditSet, plan: Plan, look: int, population: int | None) -> Verdict:
    """The same of the items that the answers speak of."""
    right = hits(answers.said, answers.targets, plan.multiple)
    judged, weights, places = _judged(answers, audits, right)
    how = _how(judged, audits)
    if audits.powered and audits.gone:
        how["why"] = "counted, as items of the audit set were taken out before they were drawn"
    elif audits.powered:
        own = expected_errors(answers.said, plan.multiple)
        errors, whole = _expected(answers, audits, own, places, len(judged.hits))
        at, once = (
            prediction_powered.accuracy(judged, errors, whole, level, population) for level in (level_of(look), LEVEL)
        )
        if at is not None and once is not None:
            how |= {"estimate": "prediction_powered", "factor": round(at.factor, 4)}
            known = len(right) / (len(right) + audits.unknown)
            return Verdict(over_all(at.estimate, known), over_all(once.estimate, known), how, weights)
        how["why"] = f"counted until {prediction_powered.FEWEST} audit answers are wrong, and as many right"
    if not audits.chosen:
        return Verdict(*_counted(right, audits.unknown, look, population), how)
    weighed = [active_testing.accuracy(judged, level, population) for level in (level_of(look), LEVEL)]
    return Verdict(weighed[0], weighed[1], how, weights)


def _counted(right: Floats, unknown: int, look: int, population: int | None) -> tuple[Estimate | None, Estimate | None]:
    """The accuracy at this look and at one alone; so many items more, without an answer, may be wrong or right."""
    n, count = len(right), float(right.sum())
    if not unknown:
        return at_look(right, look, population), share(count, n)
    wrong, good = (np.concatenate([right, np.full(unknown, each, dtype=right.dtype)]) for each in (0.0, 1.0))
    now = at_look(wrong, look, population), at_look(good, look, population)
    once = share(count, n + unknown), share(count + unknown, n + unknown)
    found = [Estimate(count / n, low.low, high.high, n) for low, high in (now, once) if low is not None and high]
    return found[0], found[1]


def _judged(answers: Answers, audits: AuditSet, right: Floats) -> tuple[Judged, Doubles | None, Indices]:
    """The answers by draw, what each weighs, and their places among the draws (n,)."""
    n = len(answers.items)
    if not audits.chosen:
        count = n + len(_excused(audits))
        draws = Draws.by_chance(count, n + (0 if audits.waiting is None else len(audits.waiting)))
        return Judged(draws, np.append(right, np.zeros(count - n)), np.arange(count) < n), None, np.arange(n)
    assert audits.draws is not None
    order = np.argsort(audits.draws.items)
    places = order[np.searchsorted(audits.draws.items, answers.items, sorter=order)]
    values, answered = np.zeros(len(order)), np.zeros(len(order), dtype=np.bool_)
    values[places], answered[places] = right, True
    weights = audits.draws.weights[places]
    return Judged(audits.draws, values, answered), weights / max(float(weights.mean()), 1e-12), places


def _excused(audits: AuditSet) -> Indices:
    """Ids of drawn items without an answer that the estimate knows what was expected of, where it asks for that."""
    if audits.excused is None or audits.waiting is None:
        return np.empty(0, dtype=np.int64)
    return audits.excused[np.isin(audits.excused, audits.waiting)]


def _expected(
    answers: Answers, audits: AuditSet, answered: Doubles, places: Indices, count: int
) -> tuple[Doubles, float]:
    """The expected errors of the draws (m,), answered or not, and their mean over what is told of the audit set.

    `answered` (n,): those of the answers, which have these places among the draws. Of what nobody knows, the mean.
    """
    waiting, ids = answers.waiting, np.empty(0, dtype=np.int64) if audits.waiting is None else audits.waiting
    drawn = np.concatenate([answers.items, _excused(audits)])
    if audits.chosen and audits.draws is not None:
        drawn, told = audits.draws.items, audits.draws.tells_of(ids)
        waiting, ids = waiting[told], ids[told]
    sure = np.isfinite(waiting)
    known = np.concatenate([answered, waiting[sure]])
    mean = float(known.mean()) if known.size else 0.0
    errors = np.full(count, mean)
    silent = np.isin(drawn, ids[sure])
    order = np.argsort(ids[sure])
    errors[silent] = waiting[sure][order][np.searchsorted(ids[sure][order], drawn[silent])]
    errors[places] = answered
    return errors, mean


def _how(judged: Judged, audits: AuditSet) -> dict[str, Any]:
    """The method in words that the settings use, and what it rests on."""
    found: dict[str, Any] = {"choice": "active" if audits.chosen else "random", "estimate": "counted", "why": None}
    n = judged.n
    known = audits.share * max(0.0, 1 - audits.gone - audits.lost)
    if not audits.chosen:
        known *= n / max(1, n + audits.unknown)
    found |= {"speaks_of": round(known, 4), "unheard": audits.unheard, "ahead": audits.ahead}
    if audits.chosen:
        spoken = judged.draws.spoken
        unanswered = int((spoken & ~judged.answered).sum())
        found |= {"drawn": int(spoken.sum()), "unanswered": unanswered, "audit_set": judged.draws.there}
        found["taken_out"] = round(audits.gone * judged.draws.size)
    elif audits.chooses:
        found["why"] = "chance drew all audit items so far: they are chosen once a learner could say what it expects"
    return found
