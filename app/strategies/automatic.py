"""What `auto` has to set: the parameters of what it becomes once there are labels, and its guard."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.strategies.parameters import parameter
from app.strategies.pool.herding import UncertaintyHerding

# Where the features are words, unless the project says otherwise. Texts share few of them: most are nearly as far from
# every label as orthogonal ones, so that a radius of that distance tells little apart.
OF_WORDS: Mapping[str, Any] = {"own": 1.0, "reach": 0.25}


@dataclass(frozen=True)
class Automatic(UncertaintyHerding):
    """`uherding` under the guard: while random answers teach more than chosen ones, half of them are random."""

    own: float = parameter(0.5, 0, 10, says="the weight of an item's own doubt; of n-grams 1 unless set")
    reach: float = parameter(
        1.0, 0, 10, says="how far an answer tells, as a share of the median distance to the labels; of n-grams 0.25"
    )
    guard: bool = parameter(True, says="half of the answers are random while chosen ones teach less")
