"""Clips of video as vectors of an ONNX image encoder over a few of their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from app.core.block import Block
from app.featurizers.dense import unit_rows
from app.featurizers.encoders import EncoderState
from app.featurizers.frames import in_order, read_pairs
from app.featurizers.onnx_image import OnnxImage, encode, side_of

PARTS = 3  # of the description that are kept: mean, deviation, and the change from first to last third


@dataclass(frozen=True)
class OnnxFrames(OnnxImage):
    """An image encoder's vectors of twelve pictures: mean, deviation, and how the last third differs from the first.

    The encoder is one for `onnx-image`, named in the same way. Costs twelve of its pictures a clip, and their decoding
    (see `frames`). Knows what is seen and how it changes; it is deaf, and blind to movement that changes no picture.

    Source: Karpathy et al. Large-scale Video Classification with Convolutional Neural Networks. CVPR 2014.
    """

    name: ClassVar[str] = "onnx-frames"
    modality: ClassVar[str] = "video"

    @property
    def version(self) -> str:
        """Names the encoder; its bytes are pinned by the state."""
        return f"onnx-frames-1-{self.model}"

    def transform(self, payloads: Sequence[Any], state: EncoderState) -> Block:
        """Dense (n, 3 width) rows of unit length; a clip that cannot be read gives a row of zeros."""
        side, width = side_of(state.settings), state.width
        rows = np.zeros((len(payloads), PARTS * width), dtype=np.float32)
        for row, path in enumerate(payloads):
            if (read := read_pairs(path, side)) is None:
                continue
            codes = unit_rows(encode(read[0][:, 0], state))
            mean, spread, early, late = in_order(codes[None])[0].reshape(4, width)
            rows[row] = np.concatenate([mean, spread, early + late])
        return Block(unit_rows(rows))
