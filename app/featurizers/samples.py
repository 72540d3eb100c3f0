"""Reading a sound's samples for a featurizer; a damaged file is no reason to stop a pass over a million."""

from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from app.core.arrays import Floats
from app.core.errors import InvalidPayload
from app.core.sounds import opened_at

PIECE = 1 << 18  # samples decoded at once, over all channels


def read_samples(path: Any, rate: int, longest: float) -> Floats | None:
    """The first `longest` seconds of a clip as one channel (n,) at `rate` samples a second; None where unreadable."""
    if path is None:
        return None
    try:
        with opened_at(Path(path)) as sound:
            own, mixed = sound.samplerate, _mixed(sound, int(longest * sound.samplerate))
        shared = gcd(own, rate)
        even = mixed if own == rate else _resampled(mixed, rate // shared, own // shared)
    except (InvalidPayload, OSError, ValueError, MemoryError):
        return None
    return np.asarray(np.nan_to_num(even), dtype=np.float32) if len(even) else None


def _resampled(samples: Floats, up: int, down: int) -> Floats:
    from scipy.signal import resample_poly  # half a second to import, for those who hear sounds of another rate

    return np.asarray(resample_poly(samples, up, down))


def _mixed(sound: soundfile.SoundFile, most: int) -> Floats:
    """The mean of the channels of the first `most` frames."""
    pieces, left = [np.zeros(0, dtype=np.float32)], most
    while left > 0 and len(piece := sound.read(min(left, PIECE // sound.channels), dtype="float32", always_2d=True)):
        pieces.append(piece.mean(axis=1))
        left -= len(piece)
    return np.concatenate(pieces)
