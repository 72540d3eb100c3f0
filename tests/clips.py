"""Small real clips, made by the tests: moving, flickering and sounding shapes."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from app.core.arrays import AnyArray

WIDTH, HEIGHT, RATE = 96, 64, 10
SAMPLES = 16_000  # a second


def square(
    seconds: float = 1.0, *, velocity: tuple[float, float] = (40.0, 0.0), colour: tuple[int, int, int] = (230, 60, 40),
    ground: int = 40, at: tuple[float, float] | None = None, rate: int = RATE, flicker: float = 0.0,
) -> AnyArray:  # fmt: skip
    """Pictures (n, 64, 96, 3) of a square that moves by so many pixels a second, and comes in again where it goes."""
    x, y = at or (WIDTH / 2 - 8, HEIGHT / 2 - 8)
    made = np.full((max(1, round(seconds * rate)), HEIGHT, WIDTH, 3), ground, dtype=np.uint8)
    for number, picture in enumerate(made):
        rows = (np.arange(16) + int(y + velocity[1] * number / rate)) % HEIGHT
        columns = (np.arange(16) + int(x + velocity[0] * number / rate)) % WIDTH
        bright = 1 - flicker * (number % 2)
        picture[np.ix_(rows, columns)] = (np.asarray(colour) * bright).astype(np.uint8)
    return made


def tone(seconds: float, hertz: float) -> AnyArray:
    """A sine (n,) of float32."""
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLES)) / SAMPLES)).astype(np.float32)


def write(
    path: Path, pictures: AnyArray, *, codec: str = "libx264", kind: str = "mp4", rate: int = RATE,
    sound: AnyArray | None = None, keys_every: int = 12, options: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """Write a clip; the sound is one channel at 16 kHz. Without a codec there is nothing but sound."""
    with av.open(str(path), "w", format=kind, options=options or {}) as container:
        stream = _pictures(container, codec, pictures, rate, keys_every) if codec else None
        coding = "aac" if kind == "mp4" else "libopus"
        heard = container.add_stream(coding, rate=SAMPLES, layout="mono") if sound is not None else None
        if stream is not None:
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        if heard is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = SAMPLES, Fraction(1, SAMPLES), 0
            container.mux(heard.encode(frame))
            container.mux(heard.encode())
    return path


def _pictures(container: Any, codec: str, pictures: AnyArray, rate: int, keys_every: int) -> Any:
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = pictures.shape[1:3]
    stream.pix_fmt, stream.gop_size = "yuv420p", keys_every
    if codec == "libx264":
        stream.options = {"preset": "veryfast", "sc_threshold": "0"}
    return stream


KINDS = ("left", "right", "flicker", "hum", "beep")


def made(
    folder: Path, count: int, seed: int = 0, *, noise: float = 6.0, kinds: Sequence[str] = KINDS
) -> tuple[list[Path], list[str]]:
    """So many clips of five kinds, in turn, with their labels: of any colour, ground, place and length.

    A square goes left or right, stands and flickers, or stands; all of them hum but the last kind, which beeps and
    looks like the kind before.
    """
    chance, paths, labels = np.random.default_rng(seed), [], []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        speed = chance.uniform(25, 60) * {"left": -1, "right": 1}.get(kind, 0)
        seconds = float(chance.uniform(0.8, 1.6))
        pictures = square(
            seconds,
            velocity=(speed, chance.uniform(-12, 12) if speed else 0),
            colour=tuple(int(each) for each in chance.integers(60, 256, 3)),
            ground=int(chance.integers(0, 60)),
            at=(chance.uniform(0, WIDTH), chance.uniform(0, HEIGHT)),
            flicker=0.5 if kind == "flicker" else 0.0,
        )
        noisy = np.clip(pictures + chance.normal(0, noise, pictures.shape), 0, 255).astype(np.uint8)
        hertz = chance.uniform(900, 1_400) if kind == "beep" else chance.uniform(150, 400)
        heard = tone(seconds, hertz) + chance.normal(0, 0.02, int(seconds * SAMPLES)).astype(np.float32)
        paths.append(write(folder / f"{number}.mp4", noisy, sound=heard, keys_every=30))
        labels.append(kind)
    return paths, labels
