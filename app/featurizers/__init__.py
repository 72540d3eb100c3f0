"""Featurizers: from payloads to vectors, by name or by evidence."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import Invalid
from app.core.plugins import entries
from app.featurizers.base import Featurizer
from app.featurizers.client import ClientVectors
from app.featurizers.columns import Columns
from app.featurizers.descriptors import Descriptors
from app.featurizers.evidence import NGRAMS, weigh
from app.featurizers.frames import Frames
from app.featurizers.log_mel import LogMel
from app.featurizers.ngrams import NGrams
from app.featurizers.onnx_frames import OnnxFrames
from app.featurizers.onnx_image import OnnxImage
from app.featurizers.onnx_text import OnnxText

OWN: tuple[type[Any], ...] = (
    NGrams, OnnxText, Descriptors, OnnxImage, LogMel, Frames, OnnxFrames, Columns, ClientVectors,
)  # fmt: skip
FEATURIZERS: Mapping[str, type[Any]] = entries("featurizers", OWN)
AUTO: Mapping[str, tuple[str, str]] = {
    "text": ("ngrams", NGRAMS),
    "image": ("descriptors", "Classical image descriptors: gradients, shape and colour, without a model file."),
    "audio": ("log-mel", "Mel spectra pooled over the clip and its parts: timbre and order, without a model file."),
    "video": ("frames", "Pictures, movement and sound, pooled over the clip and its parts, without a model file."),
    "table": ("columns", "Typed columns with a kernel map, so that a linear model can bend."),
}
OUTGROWN = 10  # a set is fitted again when the pool is so many times the sample that it was fitted on
LARGEST_SAMPLE = 50_000


def make_featurizer(name: str, options: Mapping[str, Any], modality: str | None = None) -> Featurizer:
    """The featurizer by name with its parameters.

    Raises:
        Invalid: no such featurizer, one of another modality, unknown parameters or values out of their range.
    """
    if not isinstance(name, str) or name not in FEATURIZERS:
        raise Invalid(f"there is no featurizer {str(name)[:80]!r}; there are auto, {', '.join(FEATURIZERS)}")
    made_for = FEATURIZERS[name].modality
    if modality is not None and made_for not in (modality, "any"):
        raise Invalid(f"featurizer {name} reads items of {made_for}, not of {modality}")
    try:
        featurizer: Featurizer = FEATURIZERS[name](**options)
    except TypeError as error:
        raise Invalid(f"featurizer {name}: {error}") from None
    return featurizer


def choose_featurizer(
    modality: str, wanted: Mapping[str, Any], *, encoder: str = "", sample: Sequence[Any] = (), rows: int = 0
) -> tuple[Featurizer, str]:
    """The featurizer that a project asks for, or the one that `auto` picks, with a sentence that says why.

    For texts `auto` weighs the `encoder` that the operator has given, if any, by its speed on the `sample` of a pool of
    so many `rows`.
    """
    name = wanted.get("name", "auto")
    options = {key: value for key, value in wanted.items() if key != "name"}
    if name != "auto":
        return make_featurizer(name, options, modality), f"{name}, as the project's settings say."
    picked, sentence = AUTO[modality]
    if modality == "text" and encoder:
        found, sentence = weigh(encoder, sample, rows)
        if found is not None:
            return found, sentence
    return make_featurizer(picked, options), sentence


def options_of(name: str, wanted: Mapping[str, Any], encoder: str = "") -> dict[str, Any]:
    """The parameters of the featurizer of this name that made a project's features, as `choose_featurizer` chose it."""
    if wanted.get("name", "auto") == name:
        return {key: value for key, value in wanted.items() if key != "name"}
    return {"model": encoder} if name == OnnxText.name else {}


def needs_refit(fitted_rows: int, rows: int) -> bool:
    """Whether the pool has outgrown the sample that a set was fitted on."""
    return fitted_rows < LARGEST_SAMPLE and rows >= OUTGROWN * max(fitted_rows, 1)


__all__ = ["FEATURIZERS", "Featurizer", "NGrams", "choose_featurizer", "make_featurizer", "needs_refit", "options_of"]
