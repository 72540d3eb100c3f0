"""When to stop labelling: criteria that each say why, and the advice that weighs them. People decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.evaluation.stopping.base import Criterion, Seen, Terms, Verdict
from app.evaluation.stopping.budget import Budget
from app.evaluation.stopping.certified import CertifiedAccuracy
from app.evaluation.stopping.changes import ClassificationChange
from app.evaluation.stopping.confidence import MaxConfidence
from app.evaluation.stopping.curve import CurveExtrapolation
from app.evaluation.stopping.f_change import FChange
from app.evaluation.stopping.gain import GainAgainstPrice
from app.evaluation.stopping.new_items import NewItems
from app.evaluation.stopping.plateau import Plateau
from app.evaluation.stopping.settled import SettledPredictions
from app.evaluation.stopping.signals import signals
from app.evaluation.stopping.stable import StablePredictions
from app.evaluation.stopping.uncertainty import OverallUncertainty

CRITERIA: dict[str, Criterion] = {
    each.name: each
    for each in (
        SettledPredictions(),
        StablePredictions(),
        CurveExtrapolation(),
        CertifiedAccuracy(),
        GainAgainstPrice(),
        Budget(),
        NewItems(),
        ClassificationChange(),
        OverallUncertainty(),
        MaxConfidence(),
        FChange(),
        Plateau(),
    )
}


@dataclass(frozen=True)
class Advice:
    """One sentence, whether it says stop, and which criteria it rests on."""

    stop: bool
    text: str
    because: tuple[str, ...] = ()


def verdicts(history: Sequence[Seen], terms: Terms) -> dict[str, Verdict]:
    """What every criterion says after the last of at least one round; O(rounds)."""
    return {name: criterion.judge(history, terms) for name, criterion in CRITERIA.items()}


def advise(found: Mapping[str, Verdict]) -> Advice:
    """What follows: a goal that is certified or a budget that is spent stops; so does what costs more than it brings,
    unless new items look unlike the earlier ones, of which nothing that was seen says anything.

    Where the project names no prices, settled predictions stop; where it names them, these decide, and settled
    predictions wait until they can. The learning curve alone never stops: on as few audit answers as a young project
    has, what it expects is mostly chance.
    """
    certified, budget, gain = (found[name] for name in ("certified", "budget", "gain"))
    if certified.stop:
        return Advice(True, f"Stop: the goal is reached for sure. {certified.words}", ("certified",))
    if budget.stop:
        spent = "the budget is spent. " if budget.value is not None else ""  # a last day has no number
        return Advice(True, f"Stop: {spent}{budget.words if spent else _small(budget.words)}", ("budget",))
    if found["new_items"].stop is False:
        return Advice(False, f"Go on: {_small(found['new_items'].words)}", ("new_items",))
    if gain.stop:
        return Advice(True, f"Stop: more labels would cost more than they bring. {gain.words}", ("gain",))
    if not gain.asked and found["settled"].stop:
        words = f"More labels would change little, you may stop: {_small(found['settled'].words)}"
        return Advice(True, words, ("settled",))
    return _worth(found)


def _worth(found: Mapping[str, Verdict]) -> Advice:
    """Why it is worth going on, in a sentence; nothing is named where it cannot be told."""
    if found["gain"].stop is False:
        return Advice(False, f"Go on: {_small(found['gain'].words)}", ("gain",))
    if found["settled"].stop is False:
        # The last rounds may have changed nothing: it is the sum over its span that is too much, as its words say.
        text = f"Go on: {_small(found['settled'].words)}"
        if found["curve"].stop is False:
            return Advice(False, f"{text} {found['curve'].words.partition(';')[0]}.", ("settled", "curve"))
        return Advice(False, text, ("settled",))
    if found["settled"].stop:
        text = "Go on: rounds change little, but whether more labels are worth their price cannot be told yet:"
        return Advice(False, f"{text} {found['gain'].words.partition(': ')[2]}", ("gain",))
    return Advice(False, "Go on labelling: whether more labels would change much cannot be told yet.")


def _small(words: str) -> str:
    return words[:1].lower() + words[1:]


def told(found: Mapping[str, Verdict]) -> list[dict[str, Any]]:
    """The verdicts as a round keeps them."""
    return [
        {
            "name": name,
            "title": CRITERIA[name].title,
            "stop": each.stop,
            "value": None if each.value is None else round(each.value, 5),
            "limit": None if each.limit is None else round(each.limit, 5),
            "words": each.words,
        }
        for name, each in found.items()
    ]


__all__ = ["CRITERIA", "Advice", "Criterion", "Seen", "Terms", "Verdict", "advise", "signals", "told", "verdicts"]
