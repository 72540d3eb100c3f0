"""Clips of video, decoded in processes of their own: nothing else opens a clip.

A decoder has parsers for hundreds of hostile things and is written in C. So it runs aside, bounded in memory and time
(`clip_decoder.py`); a file that ends it, or keeps it busy, is refused like any other that cannot be read. A process is
kept for the next clip: starting one takes a quarter of a second, asking it about a short clip a few milliseconds.
"""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from app.core.arrays import AnyArray, Floats
from app.core.errors import InvalidPayload

HEAD_BYTES = 64
AT_ONCE = 2  # decoders of one process of the service
WAIT_SECONDS = 90.0  # of the wall's clock, for one answer; the decoder's own bound, of processor time, is lower
KEPT_SECONDS = 100.0  # an idle decoder ends by itself a little later
INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")  # of the environment: no secret among them
PROGRAM = Path(__file__).with_name("clip_decoder.py")


def sniff(head: bytes) -> str | None:
    """`mp4` or `webm` by the file's own first bytes, or None where it is neither."""
    if head[4:8] == b"ftyp" and head[8:12] not in (b"qt  ", b"heic", b"heix", b"mif1", b"avif", b"avis"):
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in head[4:HEAD_BYTES]:
        return "webm"
    return None


def look(path: Path, *, longest: float, pixels: float) -> dict[str, Any]:
    """`width`, `height`, `seconds`, `frames_per_second` and whether there is `sound`; reads the file once.

    Raises:
        InvalidPayload: no clip, longer than `longest` seconds, of more `pixels`, cut off, of a coding that browsers
            do not play, or damaged.
    """
    return _ask("look", path, longest=longest, pixels=pixels)[0]


def frames(path: Path, *, count: int, gap: float, side: int, budget: float) -> tuple[AnyArray, Floats, float]:
    """Pictures (count, 2, side, side, 3) of bytes in RGB, upright, stretched to squares; see `clip_decoder.frames`.

    With them when each is shown (count, 2), and the length, in seconds. Decodes at most about `budget` pixels.

    Raises:
        InvalidPayload: the clip cannot be read.
    """
    head, content = _ask("frames", path, count=count, gap=gap, side=side, budget=budget)
    pixels = np.frombuffer(content, dtype=np.uint8).reshape(head["shape"])
    return pixels, np.asarray(head["moments"], dtype=np.float32), float(head["seconds"])


def picture(path: Path, side: int) -> AnyArray:
    """A picture (height, width, 3) of bytes that stands for the clip; raises InvalidPayload as `frames` does."""
    head, content = _ask("picture", path, side=side)
    return np.frombuffer(content, dtype=np.uint8).reshape(head["shape"])


def sound(path: Path, rate: int, longest: float) -> Floats:
    """The first `longest` seconds of its sound (n,) as one channel at `rate` samples a second; empty without sound.

    Raises:
        InvalidPayload: the clip cannot be read.
    """
    return np.frombuffer(_ask("sound", path, rate=rate, longest=longest)[1], dtype=np.float32)


def decoders() -> list[int]:
    """The process ids of the decoders that wait for the next clip."""
    with _guard:
        return [each.pid for each in _free]


class _Decoder:
    """One running decoder; `ask` is not safe for two threads at once."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 -- our own file
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"OPENBLAS_NUM_THREADS": "1"},
        )
        self.used = time.monotonic()

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The answer's object and bytes; raises OSError or EOFError where the decoder ended or took too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], WAIT_SECONDS)[0]:
            raise TimeoutError
        head = json.loads(_whole(self._process.stdout.readline()))
        content = self._process.stdout.read(head["bytes"])
        if len(content) != head["bytes"]:
            raise EOFError
        self.used = time.monotonic()
        return head, content

    def end(self) -> None:
        """Stop it at once."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            _close(pipe)
        self._process.wait()


_free: list[_Decoder] = []
_guard = threading.Lock()
_places = threading.BoundedSemaphore(AT_ONCE)


def _ask(call: str, path: Path, **parameters: Any) -> tuple[dict[str, Any], bytes]:
    kind = _kind(path)
    with _places:
        decoder = _taken()
        try:
            head, content = decoder.ask({"call": call, "path": str(path), "kind": kind, **parameters})
        except TimeoutError:
            decoder.end()
            raise InvalidPayload("the clip cannot be read: it keeps the decoder busy without an end") from None
        except (OSError, EOFError, ValueError):
            decoder.end()
            raise InvalidPayload("the clip cannot be read: its decoder gave up") from None
        except BaseException:
            decoder.end()
            raise
        with _guard:
            _free.append(decoder)
    if "error" in head:
        raise InvalidPayload(head["error"])
    return head, content


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is no MP4 or WebM clip")
    return kind


def _taken() -> _Decoder:
    """A decoder that waits, or a new one; those that may be about to end by themselves are ended."""
    while True:
        with _guard:
            found = _free.pop() if _free else None
        if found is None:
            return _Decoder()
        if time.monotonic() - found.used < KEPT_SECONDS:
            return found
        found.end()


def _whole(line: bytes) -> bytes:
    if not line.endswith(b"\n"):
        raise EOFError
    return line


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:  # what was still to be written has no reader
        pass


@atexit.register
def _end_all() -> None:
    while _free:
        _free.pop().end()
