"""What the last quarter of the labels brought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, over_steps, too_early

EARLIER = 3 / 4  # the learner that is looked back at had at most this share of the labels


@dataclass(frozen=True)
class RecentGain:
    """Stop where the last quarter of the labels gained less than `least` of expected accuracy, `rounds` times in a row.

    The gain is the newest learner's own opinion: by how much likelier its predictions of the stop set are right than
    those of the learner that three quarters of the labels had taught. What labels teach falls off, so a third as many
    again would bring less. Predictions that waver between classes that are as likely count for nothing, in contrast to
    `stable`: where classes overlap those never settle. It knows nothing of a class that nobody has named yet.

    A round counts once ten labels or more are new; until then the largest gain of its predecessors counts with it.

    Source: own. The change of the expected error between two learners is what Ishibashi and Hino bound: Stopping
    Criterion for Active Learning Based on Deterministic Generalization Bounds, AISTATS 2020.
    """

    name: ClassVar[str] = "recent"
    title: ClassVar[str] = "Gain of the last quarter"
    least: float = 0.005
    rounds: int = 3

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are differences of accuracy, 0 to 1."""
        values = over_steps(history, "gained", self.rounds, max)
        if values is None:
            return too_early("what the last quarter of the labels brought", self.rounds)
        most = max(values)
        words = (
            f"The last quarter of the labels brought {100 * most:.1f} points; less than {100 * self.least:g} is little."
        )
        return Verdict(most < self.least, words, most, self.least)
