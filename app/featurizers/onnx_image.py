"""Images as vectors of an ONNX encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from app.core.arrays import AnyArray
from app.core.block import Block
from app.core.errors import Invalid
from app.featurizers import encoders
from app.featurizers.dense import unit_rows
from app.featurizers.encoders import EncoderState
from app.featurizers.pixels import read_pixels

BATCH = 16
SIZE = 224
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pixels, red, green, blue, on a scale of 0 to 1
DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class OnnxImage:
    """An encoder's last pooled layer, scaled to unit length.

    EfficientNet-Lite0 at 96 pixels: about 500 images a second on one core, and from 200 labels 61 % on cifar10 where
    plain pixels reach 28; on digits plain descriptors are as good. `encoder.json` may hold `size`, `mean`,
    `deviation` and `layout` (`NCHW` or `NHWC`).

    Source: Donahue et al. DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition. ICML 2014.
    """

    name: ClassVar[str] = "onnx-image"
    modality: ClassVar[str] = "image"

    model: str = ""

    def __post_init__(self) -> None:
        encoders.check_encoder(self.model, packages=("onnxruntime",))

    @property
    def version(self) -> str:
        """Names the encoder; its bytes are pinned by the state."""
        return f"onnx-image-1-{self.model}"

    def fit(self, payloads: Sequence[Any]) -> EncoderState:
        """Open the encoder and learn its width; nothing is learned of the images."""
        folder, settings = encoders.locate(self.model)
        state = EncoderState(str(folder), encoders.digest(encoders.network(folder)), 0, settings)
        side = side_of(settings)
        width = encode(np.zeros((1, side, side, 3), dtype=np.float32), state).shape[1]
        return EncoderState(state.folder, state.sha256, width, settings)

    def transform(self, payloads: Sequence[Any], state: EncoderState) -> Block:
        """Dense (n, width) rows of unit length; an image that cannot be read gives a row of zeros."""
        rows = np.zeros((len(payloads), state.width), dtype=np.float32)
        side = side_of(state.settings)
        for start in range(0, len(payloads), BATCH):
            read = list(read_pixels(payloads[start : start + BATCH], side))
            some = [place for place, image in enumerate(read) if image is not None]
            if some:
                pixels = np.stack([image for image in read if image is not None])
                rows[[start + place for place in some]] = encode(pixels, state)
        return Block(unit_rows(rows))

    def save(self, state: EncoderState, path: Path) -> None:
        """Write which encoder it was."""
        encoders.save_state(state, path)

    def load(self, path: Path) -> EncoderState:
        """Read what `save` wrote."""
        return encoders.load_state(path)


def side_of(settings: dict[str, Any]) -> int:
    """The side of the pictures that an encoder reads, in pixels; raises Invalid where its settings name none such."""
    side = settings.get("size", SIZE)
    if not isinstance(side, int) or not 8 <= side <= 1024:
        raise Invalid("the encoder's size is a number of pixels from 8 to 1024")
    return side


def encode(pixels: AnyArray, state: EncoderState) -> AnyArray:
    """Pictures (n, side, side, 3) from 0 to 1 as the encoder's vectors (n, width)."""
    mean = np.asarray(state.settings.get("mean") or MEAN, dtype=np.float32)
    deviation = np.asarray(state.settings.get("deviation") or DEVIATION, dtype=np.float32)
    scaled = (pixels - mean) / deviation
    if state.settings.get("layout", "NCHW") == "NCHW":
        scaled = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
    network = encoders.session(encoders.network(Path(state.folder)), state.sha256)
    inputs = network.get_inputs()
    if len(inputs) != 1:
        raise Invalid("the encoder asks for more than one input: it is no image encoder")
    made = np.asarray(network.run(None, {inputs[0].name: scaled.astype(np.float32)})[0])
    if made.ndim == 4:  # a map of features: its mean over the places
        made = made.mean(axis=(2, 3) if state.settings.get("layout", "NCHW") == "NCHW" else (1, 2))
    return made.reshape(len(pixels), -1)
