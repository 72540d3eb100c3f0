"""What strategies need beyond rows and probabilities: whether it is there, and making it where it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.core.arrays import Doubles, Floats, Indices
from app.core.block import Block
from app.learners.heads import LinearHeads, bootstrap_heads, learner_heads, posterior_heads
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


@dataclass(frozen=True)
class Aims:
    """What a project's strategy is told beside labels and features: the rows (m, d) of its example items, and how to
    get the weights (n,) of items (n, 3); None where there are none. `told` is said with the round's reason.
    """

    examples: Floats | None = None
    weights: Callable[[Indices], Doubles] | None = None
    told: str = ""


NONE = Aims()


def missing(
    need: Need,
    multiple: bool,
    external: bool,
    labels: int,
    no_model: str,
    *,
    numbers: bool = False,
    aims: Aims = NONE,
) -> str:
    """Why a need cannot be met, in words; empty where it can. `no_model` says why there is no model, if so.

    `numbers`: whether the answers are numbers.
    """
    said = {
        Need.FEATURES: "",
        Need.LABELLED: "" if labels else "no labels so far",
        Need.ONE_CLASS: "several classes may hold for an item" if multiple else "",
        Need.SEVERAL_CLASSES: "" if multiple else "only one class may hold for an item",
        Need.NUMBERS: "" if numbers else "the answers are no numbers",
        Need.EXAMPLES: "" if aims.examples is not None else "none of the example items is here with features",
        Need.WEIGHTS: "" if aims.weights is not None else "the metadata of the items is not here",
    }
    if need in said:
        return said[need]
    if external and need in OF_OUR_LEARNER:
        return f"an outside model has no {need}"
    return no_model


def heads_for(strategy: PoolStrategy, labelled: Taught, multiple: bool, seed: int) -> LinearHeads | None:
    """The committee or the posterior draws that a strategy needs, as its parameters `members` and `heads` say."""
    taught = (labelled.block, labelled.targets, labelled.weights)
    count = int(getattr(strategy, "heads", HEADS))
    if Need.COMMITTEE in strategy.needs:
        if getattr(strategy, "members", "draws") == "learners":
            return learner_heads(*taught, multiple=multiple, seed=seed)
        return bootstrap_heads(*taught, heads=count, multiple=multiple, seed=seed)
    if Need.POSTERIOR in strategy.needs:
        return posterior_heads(*taught, heads=count, multiple=multiple, seed=seed)
    return None
