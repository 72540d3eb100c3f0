"""The process that decodes pictures, so that a hostile file can end it and nothing else.

`app.core.pictures` asks it, see `app.core.decoding` for how. It opens nothing but the named files, as one of the four
kinds that they begin as, and looks at no pixel before it knows how many there are.
"""

import struct
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageOps

from app.core.decoding import RefusedError, Reply, answer_all

PROCESSOR_SECONDS = 15.0  # for one request
BATCH_SECONDS = 3.0  # of a processor, after which what was read of many pictures so far is answered
MOST_PIXELS = 100_000_000  # a last guard: the door takes fewer
LOOK = (64, 64)  # pixels that a JPEG is decoded to when only its soundness is asked
TURNED = 0x0112  # the tag of EXIF that says how the camera was held
# What Pillow's parsers raise on hostile files, seen by feeding them cut and changed ones.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, ArithmeticError)
BROKEN = (*UNREADABLE, struct.error, zlib.error, MemoryError, AttributeError)
Image.MAX_IMAGE_PIXELS = None  # our own limit is stricter


def look(path: str, kind: str, pixels: float) -> Reply:
    """Width and height of a picture of at most so many `pixels`; all of it is read, to see that it is whole."""
    with _opened(path, kind, pixels) as image:
        width, height = image.size
        image.draft(None, LOOK)  # every byte of a JPEG is read, a 64th of its pixels are kept
        image.load()
        return {"width": width, "height": height}, b""


def small(path: str, kind: str, side: int) -> Reply:
    """The picture (height, width, 3) in RGB on white, upright, reduced so that its longer side is at most `side`.

    Holds the picture once in its own mode (a JPEG at a fraction of its size); copies are made of the reduced one.
    """
    with _opened(path, kind, MOST_PIXELS) as image:
        image.draft("RGB", (side, side))
        made = _reduced(image, side)
        if _is_turned(image):
            made = ImageOps.exif_transpose(made)
        made = _on_white(made)
        return {"size": made.size}, made.tobytes()


def squares(paths: list[str], kinds: list[str | None], side: int) -> Reply:
    """Pictures (n, side, side, 3) in RGB, stretched, upright, on white; `read` says of each whether it could be read.

    It is shorter than `paths` where the time was over before the last one.
    """
    end = time.process_time() + BATCH_SECONDS
    read, made = [], []
    for path, kind in zip(paths, kinds, strict=True):
        pixels = None if kind is None else _square(path, kind, side)
        read.append(pixels is not None)
        made.append(pixels or b"")
        if time.process_time() > end:
            break
    return {"read": read}, b"".join(made)


CALLS: dict[str, Callable[..., Reply]] = {"look": look, "small": small, "squares": squares}


@contextmanager
def _opened(path: str, kind: str, most_pixels: float) -> Iterator[Image.Image]:
    """The picture, whose head is read and whose pixels are not yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata that we do not use
        with open(path, "rb") as file, Image.open(file, formats=[kind]) as image:
            pixels = image.width * image.height
            if pixels > most_pixels:
                raise RefusedError(f"the image has {pixels / 1e6:.0f} megapixels; {most_pixels / 1e6:g} are allowed")
            yield image


def _square(path: str, kind: str, side: int) -> bytes | None:
    try:
        with _opened(path, kind, MOST_PIXELS) as image:
            turned = image.format == "JPEG" and image.getexif().get(TURNED, 1) != 1
            image.draft("RGB", (side * 4, side * 4))
            made = _without_transparency(image).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
            if turned:
                made.getexif()[TURNED] = image.getexif()[TURNED]
                made = ImageOps.exif_transpose(made)
            return made.tobytes()
    except (*BROKEN, RefusedError):
        return None


def _without_transparency(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        return white
    return image


def _is_turned(image: Image.Image) -> bool:
    """Whether the file says that it lies on its side; damaged EXIF data says nothing."""
    try:
        return image.getexif().get(TURNED, 1) in range(2, 9)
    except BROKEN:
        return False


def _reduced(image: Image.Image, side: int) -> Image.Image:
    if image.mode in ("P", "1"):  # neither can be averaged: thin out to four times the side, then average
        image.thumbnail((4 * side, 4 * side), Image.Resampling.NEAREST)
        image = image.convert("RGBA" if image.mode == "P" else "L")
    elif image.mode.startswith("I"):  # 16 bits of grey
        image.thumbnail((side, side), Image.Resampling.NEAREST)
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    image.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = Image.new("RGBA", image.size, "white")
    layers.alpha_composite(image.convert("RGBA"))
    return layers.convert("RGB")


def _answer(request: dict[str, Any]) -> Reply:
    try:
        return CALLS[request.pop("call")](**request)
    except RefusedError as error:
        return {"error": str(error)}, b""
    except BROKEN as error:
        return {"error": f"the image cannot be read: {str(error)[:120] or 'it is cut off'}"}, b""


def main() -> None:
    """Answer requests until the pipe closes or nobody asks."""
    answer_all(_answer, PROCESSOR_SECONDS)
