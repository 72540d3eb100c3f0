"""Two models judged on the same items: how far apart they are, with an interval that is exact.

Items on which both are right, or both wrong, say nothing of which is better. Given m items on which one alone is right,
the number of those that the second model won is binomial, whose share theta has the interval of Clopper and Pearson; so
has the share d of items on which they differ. The difference of the accuracies is d (2 theta - 1). Its interval takes
4 % of the chance of failing for theta and 1 % for d: together they hold with 95 % or more for any number of items, and
the interval leaves nought out exactly where the sign test (McNemar's, exact) refuses equality at 4 %.

Source: McNemar. Note on the Sampling Error of the Difference Between Correlated Proportions. Psychometrika 1947;
Clopper, Pearson. Biometrika 1934.
"""

from dataclasses import dataclass
from typing import Any

from scipy.stats import binom

from app.core.arrays import Booleans
from app.evaluation.intervals import outward
from app.evaluation.sequence import counted

OF_SIGN, OF_SHARE = 0.04, 0.01  # of the chance of failing


@dataclass(frozen=True)
class Paired:
    """How much better the second model is: `gained` items it alone got right, `lost` the first alone did, of n."""

    gained: int
    lost: int
    n: int

    @classmethod
    def of(cls, first: Booleans, second: Booleans) -> "Paired":
        """From what each model got right, (n,) and (n,)."""
        return cls(int((second & ~first).sum()), int((first & ~second).sum()), len(first))

    @property
    def difference(self) -> float:
        """Accuracy of the second less that of the first; 0 without items."""
        return (self.gained - self.lost) / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends of the difference, in [-1, 1]."""
        differ = self.gained + self.lost
        if self.n == 0:
            return -1.0, 1.0
        fewest, most = counted(differ, self.n, OF_SHARE)
        if differ == 0:
            return -most, most
        low, high = (2 * each - 1 for each in counted(self.gained, differ, OF_SIGN))
        return low * (fewest if low > 0 else most), high * (most if high > 0 else fewest)

    @property
    def chance(self) -> float:
        """Of a split at least as uneven as this one were both equally good: McNemar's test, exact, two-sided."""
        differ = self.gained + self.lost
        return float(min(1.0, 2 * binom.cdf(min(self.gained, self.lost), differ, 0.5))) if differ else 1.0

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `cannot tell`, by the interval."""
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else "cannot tell"

    def to_json(self) -> dict[str, Any]:
        """Rounded to four places, the ends outward."""
        return {
            "value": round(self.difference, 4), **outward(*self.interval), "n": self.n,
            "gained": self.gained, "lost": self.lost, "chance": float(f"{self.chance:.3g}"), "verdict": self.verdict,
        }  # fmt: skip
