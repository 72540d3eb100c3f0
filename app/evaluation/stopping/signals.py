"""What two rounds' predictions of the stop set say about each other."""

from dataclasses import replace

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.evaluation.stopping.base import Seen


def signals(labels: int, now: Floats, before: Floats | None, multiple: bool = False) -> Seen:
    """A round by its probabilities (n, c) of the stop set, and those of the round before for the same n items.

    Where several classes may hold, each class of each item is a prediction of its own, yes or no.
    """
    if multiple:
        now, before = _cells(now), None if before is None else _cells(before)
    if not len(now) or now.shape[1] < 2:
        return Seen(labels)
    entropy = _entropy(np.asarray(now, dtype=np.float64))
    here = Seen(labels, uncertainty=float(entropy.mean()), most_uncertain=float(entropy.max()))
    if before is None or not len(before):
        return here
    one, other = now.argmax(axis=1), before.argmax(axis=1)
    # Where both only name one and the same class, nothing was learned that could be stable.
    agreement = None if len(np.union1d(one, other)) == 1 else kappa(one, other, now.shape[1])
    changed = float((one != other).mean())
    return replace(here, agreement=agreement, changed=changed, f_change=f_change(one, other))


def _cells(probabilities: Floats) -> Floats:
    yes = probabilities.reshape(-1)
    return np.asarray(np.stack([1 - yes, yes], axis=1), dtype=np.float32)


def kappa(one: Indices, other: Indices, classes: int) -> float:
    """Cohen's kappa of two predictions (n,), (n,); 1 where both only ever name one and the same class.

    Source: Cohen. A Coefficient of Agreement for Nominal Scales. 1960.
    """
    agreed = float((one == other).mean())
    shares = [np.bincount(each, minlength=classes) / len(each) for each in (one, other)]
    chance = float(shares[0] @ shares[1])
    return 1.0 if chance >= 1 - 1e-12 else (agreed - chance) / (1 - chance)


def f_change(one: Indices, other: Indices) -> float:
    """1 - F of one round's predictions taken for the other's truth, the mean over classes that either names."""
    changes = []
    for number in np.union1d(one, other):
        mine, theirs = one == number, other == number
        changes.append(1 - 2 * float((mine & theirs).sum()) / float(mine.sum() + theirs.sum()))
    return float(np.mean(changes))


def _entropy(probabilities: Doubles) -> Doubles:
    p = np.clip(probabilities / np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-12), 1e-12, 1)
    return np.asarray(-(p * np.log(p)).sum(axis=1) / np.log(p.shape[1]), dtype=np.float64)
