"""Featurizers: from payloads to vectors, by name or by evidence."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid
from app.featurizers.base import Featurizer
from app.featurizers.client import ClientVectors
from app.featurizers.columns import Columns
from app.featurizers.descriptors import Descriptors
from app.featurizers.ngrams import NGrams

FEATURIZERS: Mapping[str, type[Any]] = {each.name: each for each in (NGrams, Descriptors, Columns, ClientVectors)}
AUTO: Mapping[str, tuple[str, str]] = {
    "text": ("ngrams", "Word n-grams with a latent semantic space: the whole set needs no model file."),
    "image": ("descriptors", "Classical image descriptors: gradients, shape and colour, without a model file."),
    "table": ("columns", "Typed columns with a kernel map, so that a linear model can bend."),
}
OUTGROWN = 10  # a set is fitted again when the pool is so many times the sample that it was fitted on
LARGEST_SAMPLE = 50_000


def make_featurizer(name: str, options: Mapping[str, Any]) -> Featurizer:
    """The featurizer by name with its parameters. Raises Invalid for unknown ones."""
    if name not in FEATURIZERS:
        raise Invalid(f"there is no featurizer {name!r}; there are auto, {', '.join(FEATURIZERS)}")
    try:
        featurizer: Featurizer = FEATURIZERS[name](**options)
    except TypeError as error:
        raise Invalid(f"featurizer {name}: {error}") from None
    return featurizer


def choose_featurizer(modality: str, wanted: Mapping[str, Any]) -> tuple[Featurizer, str]:
    """The featurizer that a project asks for, or the one that `auto` picks, with a sentence that says why."""
    name = wanted.get("name", "auto")
    options = {key: value for key, value in wanted.items() if key != "name"}
    if name != "auto":
        return make_featurizer(name, options), f"{name}, as the project's settings say."
    picked, sentence = AUTO[modality]
    return make_featurizer(picked, options), sentence


def needs_refit(fitted_rows: int, rows: int) -> bool:
    """Whether the pool has outgrown the sample that a set was fitted on."""
    return fitted_rows < LARGEST_SAMPLE and rows >= OUTGROWN * max(fitted_rows, 1)


__all__ = ["FEATURIZERS", "Featurizer", "choose_featurizer", "make_featurizer", "needs_refit"]
