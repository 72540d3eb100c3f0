"""Whether chosen answers teach less than random ones, and when that is believed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from scipy.special import betainc, betaln

BEHIND = 10.0  # evidence at which a check speaks for the guard to go up
NOT_BEHIND = 1.0  # evidence down to which it speaks for the guard to come down
CHECKS = 3
FRESH = 5
SMALLEST = 1e-300


@dataclass(frozen=True)
class Guard:
    """Up or down, and how many checks in a row, the newest ones, spoke for changing that.

    A check compares a learner of chosen labels with one of as many random labels on random answers that neither saw:
    `won` were got right by the former alone, `lost` by the latter alone. It says "behind" at E(won, lost) >= 10 and
    "not behind" at E <= 1, with E of `evidence`. Three checks in a row that say "behind" raise the guard, three that
    say "not behind" lower it; a check counts only with at least five judging answers more than the one before (`judged`
    is their number).

    How sure that is: where a decided answer is won as often as lost, or more often, a single check says "behind" with a
    chance of at most 1 in 10. Checks judge by the old answers too, so three in a row are hardly rarer than one, and who
    looks for long meets a false alarm in the end; it costs nothing where choosing is no better than chance, and is
    taken back as answers come in where it is.
    """

    raised: bool = False
    streak: int = 0
    judged: int = 0

    def after(self, won: float, lost: float, judged: int) -> "Guard":
        """The guard after one more check."""
        if not self.waits_for(judged):
            return self
        found = evidence(won, lost)
        tells = found <= NOT_BEHIND if self.raised else found >= BEHIND
        streak = self.streak + 1 if tells else 0
        if streak >= CHECKS:
            return Guard(raised=not self.raised, judged=judged)
        return replace(self, streak=streak, judged=judged)

    def waits_for(self, judged: int) -> bool:
        """Whether a check by so many answers would count."""
        return judged >= self.judged + FRESH

    def to_json(self) -> dict[str, Any]:
        """As a round keeps it."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Guard":
        """As a round kept it; a new one for None."""
        return cls(**{each.name: stored[each.name] for each in fields(cls)}) if stored else cls()


def evidence(won: float, lost: float) -> float:
    """E = 2 integral_{1/2}^{1} (2 q)^lost (2 (1 - q))^won dq: how much better "behind" explains the decided answers.

    The likelihood of losing each with a chance q above one half, all of them equally likely, against that of a fair
    coin; in closed form by the incomplete beta function. While no answer is lost more often than won, E >= x has a
    chance of at most 1 / x. An item whose annotators disagree counts in part, which only lowers E.

    Source: Jeffreys. Theory of Probability. 1939; Shafer, Shen, Vereshchagin, Vovk. Test Martingales, Bayes Factors and
    p-Values. Statistical Science 2011.
    """
    beyond = float(betainc(won + 1, lost + 1, 0.5))
    if beyond < SMALLEST:  # so many more were won that the ratio is nothing
        return 0.0
    logarithm = (won + lost + 1) * math.log(2) + float(betaln(lost + 1, won + 1)) + math.log(beyond)
    return math.exp(min(logarithm, 700.0))
