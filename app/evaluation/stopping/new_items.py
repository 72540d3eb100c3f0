"""New items that look unlike the earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict


@dataclass(frozen=True)
class NewItems:
    """Go on where the alarm of new items stands: settled predictions are of what was there before. It never stops."""

    name: ClassVar[str] = "new_items"
    title: ClassVar[str] = "New items"

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """There are no numbers: the alarm has its own."""
        if terms.unlike:
            return Verdict(False, "New items look unlike the earlier ones: label some of them first.")
        return Verdict(None, "No sign that new items differ from the earlier ones.")
