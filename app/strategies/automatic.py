"""What `auto` has to set: the parameters of what it becomes once there are labels, and its guard."""

from dataclasses import dataclass

from app.strategies.parameters import parameter
from app.strategies.pool.herding import UncertaintyHerding


@dataclass(frozen=True)
class Automatic(UncertaintyHerding):
    """`uherding` under the guard: while random answers teach more than chosen ones, half of them are random."""

    guard: bool = parameter(True, says="half of the answers are random while chosen ones teach less")
