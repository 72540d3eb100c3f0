"""Numbers with their uncertainty."""

import math
from dataclasses import dataclass
from typing import Any

Z95 = 1.959964
MOST_TO_COME = 300  # answers for plus or minus 10 points
SPECK = 1e-5  # of a unit of the last place, much more than floats err
WIDE = 0.2  # a band wider than this is said in words, never as one number


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval and the number of answers behind it."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Rounded to four places, the ends outward."""
        return {"value": round(self.value, 4), **outward(self.low, self.high), "n": self.n}


def outward(low: float, high: float) -> dict[str, float]:
    """Both ends as they are kept, at four places: the lower one rounded down and the upper one up.

    So a goal of 0.9 is not reached by 0.89995. What lies beside a fourth place by no more than floats err stays there.
    """
    return {"low": math.floor(1e4 * float(low) + SPECK) / 1e4, "high": math.ceil(1e4 * float(high) - SPECK) / 1e4}


def in_percent(low: float, high: float) -> tuple[str, str]:
    """Both ends as people read them, in percent, rounded outward at one decimal."""
    return f"{math.floor(1e3 * low + SPECK) / 10:g}", f"{math.ceil(1e3 * high - SPECK) / 10:g}"


def share(successes: float, n: float, z: float = Z95) -> Estimate | None:
    """A share with Wilson's interval, of so many standard errors; None for n = 0.

    Source: Wilson. Probable Inference, the Law of Succession, and Statistical Inference. JASA 1927.
    """
    if n == 0:
        return None
    p = successes / n
    denominator = 1 + z**2 / n
    center = (p + z**2 / (2 * n)) / denominator
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / denominator
    return Estimate(p, max(0.0, center - half), min(1.0, center + half), round(n))


def in_words(estimate: dict[str, Any], judges: str = "audit answers", ahead: int = 0) -> str:
    """An accuracy as a person reads it: a number while the band is narrow, a range and what would help otherwise.

    `ahead` more answers are needed before all of the pool is spoken of.
    """
    low, high = in_percent(estimate["low"], estimate["high"])
    if estimate["high"] - estimate["low"] <= WIDE:
        return f"{100 * estimate['value']:.0f} % (between {low} and {high} %, {estimate['n']} {judges})"
    more, aim = answers_to_come(estimate, ahead), "to speak of all items" if ahead else "for plus or minus 10"
    return f"Between {low} and {high} %: about {more} more {judges} {aim}"


def answers_to_come(estimate: dict[str, Any], ahead: int = 0) -> int:
    """About how many more answers a band needs for plus or minus 10 points: it narrows with the root of their number.

    0 for a band that is narrow enough; where `ahead` more are needed before all of the pool is spoken of, these. Never
    more than what an accuracy of one half needs at a late look, as it is not their number that makes a band wider.
    """
    low, high, n = float(estimate["low"]), float(estimate["high"]), int(estimate["n"])
    if high - low <= WIDE:
        return 0
    return ahead or min(MOST_TO_COME, max(1, math.ceil(n * ((high - low) / WIDE) ** 2) - n))
