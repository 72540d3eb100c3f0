"""What the model thinks of an item, in words."""

from collections.abc import Sequence

SURE = 0.9
NAMES = 2


def words(probabilities: Sequence[float], names: Sequence[str]) -> str:
    """One line for an annotator: "hesitates: 3 48 %, 8 45 %" or "quite sure: 3 94 %"."""
    ranked = sorted(zip(probabilities, names, strict=True), key=lambda pair: -pair[0])[:NAMES]
    said = ", ".join(f"{name} {100 * probability:.0f} %" for probability, name in ranked)
    return f"quite sure: {said}" if ranked and ranked[0][0] >= SURE else f"hesitates: {said}"
