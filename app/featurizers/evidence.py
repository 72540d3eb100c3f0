"""Whether an encoder that the operator has given is fast enough here for a pool of texts: it is tried on a few."""

import time
from collections.abc import Sequence
from typing import Any

from app.core.errors import Invalid
from app.featurizers.base import Featurizer
from app.featurizers.onnx_text import OnnxText

TRIED = 64  # texts that are timed
MOST_MINUTES = 30.0  # that the first pass over the pool may take
NGRAMS = "Word n-grams with a latent semantic space: the whole set needs no model file."


def weigh(encoder: str, sample: Sequence[Any], rows: int) -> tuple[Featurizer | None, str]:
    """The encoder where `rows` texts take it half an hour at most, else None; and a sentence that says why.

    Costs what the encoder takes for 64 texts of the sample, a second or two.
    """
    try:
        featurizer: Featurizer = OnnxText(encoder)
        state = featurizer.fit([])
        some = [text for text in sample if isinstance(text, str)][:TRIED]
        featurizer.transform(some[:1], state)
        begun = time.perf_counter()
        featurizer.transform(some, state)
        rate = len(some) / max(time.perf_counter() - begun, 1e-6)
    except Invalid as error:
        return None, f"{NGRAMS} The encoder of this service cannot be used: {error}."
    minutes = rows / max(rate, 1e-6) / 60
    if minutes > MOST_MINUTES:
        long = f"{minutes / 60:,.0f} hours" if minutes >= 120 else f"{minutes:,.0f} minutes"
        return None, f"{NGRAMS} The encoder of this service would take {long} for {rows:,} texts."
    return featurizer, (
        f"Sentence vectors of this service's encoder, better than word n-grams from few labels: it reads {rate:,.0f} "
        f"texts a second here, so {rows:,} take {_said(minutes)}."
    )


def _said(minutes: float) -> str:
    return "less than a minute" if minutes < 1 else f"about {minutes:,.0f} min"
