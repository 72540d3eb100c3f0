"""Decoders in processes of their own, so that a hostile file can end or fill one of them and nothing else.

A decoder is a program of ours (`clip_decoder.py`, `picture_decoder.py`) that bounds its own memory and time. Each line
of its standard input is a request, an object with the name of a `call` and its parameters; the answer is a line with an
object, and behind it as many bytes as its `bytes` says. A process is kept for the next request: starting one takes a
fifth of a second and more, asking it a part of a millisecond.
"""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from app.core.errors import InvalidPayload

AT_ONCE = 2  # decoders of one kind in one process of the service
WAIT_SECONDS = 90.0  # of the wall's clock, for one answer; a decoder's own bound, of processor time, is lower
KEPT_SECONDS = 100.0  # an idle decoder ends by itself a little later
INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")  # of the environment: no secret among them


ROOT = Path(__file__).resolve().parents[2]  # where the decoders' own code is found, installed or not


class GaveUp(Exception):
    """The decoder ended, or was ended, over what it was asked: a sentence that says which."""


class Decoder:
    """One running decoder; `ask` is not safe for two threads at once."""

    def __init__(self, program: str) -> None:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        paths = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
        self._process = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-P", "-c", f"from app.core.{program} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
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


class Decoders:
    """The decoders of one kind of file in this process: started when they are needed, two at work at once at most."""

    def __init__(self, program: str, noun: str) -> None:
        self._program, self._noun = program, noun
        self._free: list[Decoder] = []
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        atexit.register(self.end)

    def ask(self, call: str, **parameters: Any) -> tuple[dict[str, Any], bytes]:
        """The object and the bytes of an answer.

        Raises:
            InvalidPayload: what the decoder says of the file, or that it ended or kept busy over it.
        """
        try:
            return self.attempt(call, **parameters)
        except GaveUp as error:
            raise InvalidPayload(str(error)) from None

    def attempt(self, call: str, **parameters: Any) -> tuple[dict[str, Any], bytes]:
        """As `ask`, for who does something about a decoder that gave up.

        Raises:
            GaveUp: the decoder ended, or was kept busy, over this request; the next request gets another.
            InvalidPayload: what the decoder says of the file.
        """
        with self._places, self._taken() as decoder:
            head, content = decoder.ask({"call": call, **parameters})
        if "error" in head:
            raise InvalidPayload(head["error"])
        return head, content

    def waiting(self) -> list[int]:
        """The process ids of the decoders that wait for the next file."""
        with self._guard:
            return [each.pid for each in self._free]

    def end(self) -> None:
        """End those that wait."""
        while self._free:
            self._free.pop().end()

    @contextmanager
    def _taken(self) -> Iterator[Decoder]:
        """A decoder that waits, or a new one; put back where it answered, and ended where it did not."""
        decoder = self._next()
        try:
            yield decoder
        except TimeoutError:
            decoder.end()
            raise GaveUp(f"the {self._noun} cannot be read: it keeps the decoder busy without an end") from None
        except (OSError, EOFError, ValueError):
            decoder.end()
            raise GaveUp(f"the {self._noun} cannot be read: its decoder gave up") from None
        except BaseException:
            decoder.end()
            raise
        with self._guard:
            self._free.append(decoder)

    def _next(self) -> Decoder:
        while True:
            with self._guard:
                found = self._free.pop() if self._free else None
            if found is None:
                return Decoder(self._program)
            if time.monotonic() - found.used < KEPT_SECONDS:
                return found
            found.end()  # it may be about to end by itself


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
