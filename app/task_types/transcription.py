"""Free text: what was said, a remark, a better wording."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.errors import Invalid, InvalidLabel
from app.core.text import check_text
from app.task_types.base import Question, unanswerable
from app.task_types.silent import Silent

LIMIT = 1_000_000  # code points, as of the texts of items
COMPARED = 2_000  # code points of which a distance is measured: what follows tells equal from unequal alone
FORM = 'the label is {"text": "..."}'


@dataclass(frozen=True)
class Transcription(Silent):
    """`{"text": "..."}`, kept in Unicode's composed form (NFC) without the space around it. It teaches no learner."""

    name: ClassVar[str] = "transcription"
    editor: ClassVar[str] = "free-text"

    def check(self, label: Any, question: Question) -> dict[str, Any]:
        """Return the stored text.

        Raises:
            InvalidLabel: another shape, a blank or too long text, half a surrogate pair.
        """
        if not isinstance(label, dict):
            raise InvalidLabel(FORM)
        if "unanswerable" in label:
            return unanswerable(label, question)
        if len(label) != 1 or not isinstance(label.get("text"), str):
            raise InvalidLabel(FORM)
        try:
            text = check_text(label["text"], what="text", limit=LIMIT)
        except Invalid as error:
            raise InvalidLabel(str(error)) from None
        kept = unicodedata.normalize("NFC", text).strip()
        if not kept:
            raise InvalidLabel("text is empty: write something, or skip the item")
        if len(kept) > LIMIT:  # some letters are longer in composed form
            raise InvalidLabel(f"text has more than {LIMIT:,} characters")
        return {"text": kept}

    def distance(self, one: dict[str, Any], other: dict[str, Any], question: Question) -> float:
        """Levenshtein's distance, of the length of the longer text; the first 2,000 code points of each are compared.

        Texts that differ only later are told apart by the smallest distance there is.
        """
        if "text" not in one or "text" not in other:
            return float(one != other)
        first, second = one["text"], other["text"]
        if first == second:
            return 0.0
        head, tail = first[:COMPARED], second[:COMPARED]
        return max(1, levenshtein(head, tail)) / max(len(head), len(tail))

    def from_cell(self, cell: Any, question: Question) -> Any:
        """The cell as text."""
        return {"text": cell if isinstance(cell, str) else str(cell)}

    def to_cell(self, shown: Mapping[str, Any]) -> Any:
        """The text."""
        return shown["text"]


def levenshtein(one: str, other: str) -> int:
    """The fewest insertions, deletions and replacements between two texts; O(n) steps over numbers of m bits.

    The columns of the table of distances are kept as two bit vectors of their differences. Source: Myers. A Fast
    Bit-Vector Algorithm for Approximate String Matching Based on Dynamic Programming. JACM 1999; with the horizontal
    differences of Hyyro, 2001.
    """
    if not one or not other:
        return max(len(one), len(other))
    last, every = 1 << (len(one) - 1), (1 << len(one)) - 1
    places: dict[str, int] = {}
    for place, letter in enumerate(one):
        places[letter] = places.get(letter, 0) | 1 << place
    up, down, distance = every, 0, len(one)  # where a column's differences are +1 and -1
    for letter in other:
        equal = places.get(letter, 0)
        straight = equal | down
        diagonal = (((equal & up) + up) ^ up) | equal
        rising = (down | ~(diagonal | up)) & every
        falling = up & diagonal
        distance += bool(rising & last) - bool(falling & last)
        rising, falling = (rising << 1 | 1) & every, (falling << 1) & every
        up = (falling | ~(straight | rising)) & every
        down = rising & straight
    return distance
