"""What the programs that decode hostile files have in common: they answer a pipe, within bounds.

`app.core.aside` starts them and asks them. A program knows no secret of the service, may take 2 GiB of memory and some
seconds of a processor for one request, and ends when nobody asks for two minutes or the pipe closes.
"""

import json
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

MEMORY = 2 << 30  # bytes
IDLE_SECONDS = 120.0

Reply = tuple[dict[str, Any], bytes]


class RefusedError(Exception):
    """A sentence for the person who sent the file."""


def answer_all(answer: Callable[[dict[str, Any]], Reply], seconds: float) -> None:
    """Answer requests until the pipe closes or nobody asks.

    A request that takes more than `seconds` of a processor ends the process, also inside of a decoder written in C.
    """
    _bound_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us is told, and closes the pipe
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0] and (line := sys.stdin.buffer.readline()):
        _bound_time(seconds)
        head, content = answer(json.loads(line))
        _bound_time(0)
        sys.stdout.buffer.write(json.dumps(head | {"bytes": len(content)}).encode() + b"\n" + content)
        sys.stdout.buffer.flush()


def _bound_time(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # Windows has no such bound
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal has no handler here, so it ends the process


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such bound
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
