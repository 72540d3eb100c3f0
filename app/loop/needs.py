"""What strategies need beyond rows and probabilities: whether it is there, and making it where it is."""

from typing import Any, Protocol

from app.core.arrays import Doubles, Floats
from app.core.block import Block
from app.learners.heads import LinearHeads, bootstrap_heads, posterior_heads
from app.strategies import OF_OUR_LEARNER, Need, PoolStrategy

HEADS = 8


class Taught(Protocol):
    """Labelled rows with their class shares and weights."""

    @property
    def block(self) -> Block: ...
    @property
    def targets(self) -> Floats: ...
    @property
    def weights(self) -> Doubles: ...


def missing(need: Need, multiple: bool, external: bool, labels: int, no_model: str) -> str:
    """Why a need cannot be met, in words; empty where it can. `no_model` says why there is no model, if so."""
    if need is Need.FEATURES:
        return ""
    if need is Need.LABELLED:
        return "" if labels else "no labels so far"
    if need is Need.ONE_CLASS:
        return "several classes may hold for an item" if multiple else ""
    if need is Need.SEVERAL_CLASSES:
        return "" if multiple else "only one class may hold for an item"
    if external and need in OF_OUR_LEARNER:
        return f"an outside model has no {need}"
    return no_model


def heads_for(strategy: PoolStrategy, labelled: Taught, multiple: bool, seed: int) -> LinearHeads | None:
    """The committee or the posterior draws that a strategy needs; `heads` of its parameters says how many."""
    wanted: dict[Need, Any] = {Need.COMMITTEE: bootstrap_heads, Need.POSTERIOR: posterior_heads}
    for need, made in wanted.items():
        if need in strategy.needs:
            count = int(getattr(strategy, "heads", HEADS))
            heads: LinearHeads = made(
                labelled.block, labelled.targets, labelled.weights, heads=count, multiple=multiple, seed=seed
            )
            return heads
    return None
