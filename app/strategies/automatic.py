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

    guard: bool = parameter(True, says="half of the answers are random while chosen ones teach less")
