"""What stopping criteria look at, what they answer, and the contract they keep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

LABELS_A_STEP = 10
MOST_DECIMALS = 5  # of what is told


@dataclass(frozen=True)
class Seen:
    """One round as the criteria see it. What compares two rounds is null where there is none before to compare with.

    `agreement` is Cohen's kappa of its predictions and those of the round before on the stop set, the fixed uniform
    sample of the pool; `changed` the share predicted otherwise; `f_change` 1 - F of one round's predictions against the
    other's, the mean over classes. `uncertainty` and `most_uncertain` are the mean and the largest entropy there, as a
    share of the largest possible. `accuracy`, `low` and `high` are of the headline, on `judges` answers.
    """

    labels: int
    agreement: float | None = None
    changed: float | None = None
    f_change: float | None = None
    uncertainty: float | None = None
    most_uncertain: float | None = None
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    judges: int = 0

    def to_json(self) -> dict[str, Any]:
        """As a round keeps it."""
        return {name: round(value, 5) if isinstance(value, float) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Seen":
        """As a round kept it."""
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})


@dataclass(frozen=True)
class Terms:
    """What a project says about worth, and what was spent so far; None for what it does not say.

    `accuracy`, `most_labels`, `most_hours` and `most_cost` are of its goal, whose last day `is_over` or not.
    `hour_price` is what an hour of labelling costs and `point_worth` what a point of accuracy (0.01) is worth, in the
    same currency. `seconds` is what a label takes on average, with the answers of all who are asked; `labels` items are
    answered so far, by as many people as are asked, in `hours` of work. `unlike`: new items look unlike earlier ones.
    """

    accuracy: float | None = None
    most_labels: int | None = None
    most_hours: float | None = None
    most_cost: float | None = None
    hour_price: float | None = None
    point_worth: float | None = None
    seconds: float | None = None
    labels: int = 0
    hours: float = 0.0
    is_over: bool = False
    unlike: bool = False

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Terms":
        """As a round kept them, with `asdict`."""
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})


@dataclass(frozen=True)
class Verdict:
    """Whether a criterion says stop; None where it cannot tell yet, or was not `asked` to. `words` say why.

    It stops where `value` is beyond `limit`, on the side that its docstring says.
    """

    stop: bool | None
    words: str
    value: float | None = None
    limit: float | None = None
    asked: bool = True


class Criterion(Protocol):
    """One rule to stop by; a frozen dataclass whose fields are its limits."""

    name: ClassVar[str]
    title: ClassVar[str]

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """The verdict after the last of the rounds, oldest first and at least one."""
        ...


def last_known(history: Sequence[Seen], name: str, rounds: int) -> list[float] | None:
    """A figure of the last rounds, oldest first; None unless each of them has it."""
    values = [getattr(each, name) for each in history[-rounds:]]
    return None if len(values) < rounds or None in values else values


def over_steps(
    history: Sequence[Seen], name: str, steps: int, worst: Callable[[Sequence[float]], float]
) -> list[float] | None:
    """The worst of a figure within each of the last steps of ten new labels or more, oldest first; None unless known.

    A round that learned from hardly anything new changes hardly anything, which says nothing: somebody may have asked
    for it.
    """
    found: list[float] = []
    known: list[float] = []
    since = history[0].labels
    for each in history[1:]:
        value = getattr(each, name)
        known = [*known, value] if value is not None else []
        if each.labels - since >= LABELS_A_STEP:
            found = [*found, worst(known)] if known else []
            known, since = [], each.labels
    return found[-steps:] if len(found) >= steps else None


def since(history: Sequence[Seen], share: float) -> tuple[list[Seen], int]:
    """The rounds with more than a share of the labels, and the steps of ten new labels or more in which they came.

    No step without a change that is known. A round that somebody asked for without new labels is none.
    """
    known = share * history[-1].labels
    span = [each for each in history if each.labels > known]
    steps = 0
    for each in span:
        if each.changed is not None or each.f_change is not None:
            is_one = each.labels - known >= LABELS_A_STEP
            steps, known = steps + is_one, each.labels if is_one else known
    return span, steps


def beside(value: float, limit: float, decimals: int) -> str:
    """A value with the fewest decimals, from so many on, by which it compares with a limit as it does in full.

    0.495 beside 0.5 is no 0.5: whoever reads the words shall see why the criterion says what it says.
    """
    for places in range(decimals, MOST_DECIMALS + 1):
        if (round(value, places) < limit, round(value, places) > limit) == (value < limit, value > limit):
            return f"{value:,.{places}f}"
    return f"{value:,.{decimals}f}"  # so near that only the computer's own rounding tells them apart


def not_asked(why: str) -> Verdict:
    """The goal says nothing that the criterion could go by."""
    return Verdict(None, f"Not asked: {why}.", asked=False)


def too_early(what: str, rounds: int) -> Verdict:
    """Cannot tell yet."""
    return Verdict(None, f"Cannot tell yet: {what} over {rounds} rounds {'is' if rounds == 1 else 'are'} needed.")
