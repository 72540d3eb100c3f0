"""The parent of a running service: it watches the web processes and the worker, and takes them along when it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.cli.child import PIPE

LONGEST_PAUSE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.5
STEADY_SECONDS = 30.0
GRACE_SECONDS = 10.0
LOOK_SECONDS = 0.2


@dataclass
class Child:
    """One watched process; `on_death` hears the process id of each one that ended unasked.

    `environment` holds what it is given unless the operator gave it already.
    """

    name: str
    command: list[str]
    on_death: Callable[[int], None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS / 2
    due: float = 0.0


class Family:
    """Children that are started again, ever more slowly, when they end, and that end with this process.

    The listening socket is the parent's: a web process that is started again finds the waiting connections.
    """

    def __init__(self, listening: socket.socket, children: Sequence[Child]) -> None:
        self._listening = listening
        self._children = children
        self._ending = False

    def run(self) -> int:
        """Start the children and watch them until SIGTERM or SIGINT; then end them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        # The children hold the reading end: it closes when this process is gone, however it went.
        reading, writing = os.pipe()
        try:
            while not self._ending:
                for child in self._children:
                    self._watch(child, reading)
                time.sleep(LOOK_SECONDS)
        finally:
            self._stop()
            os.close(writing)
        return 0

    def _end(self, *_: object) -> None:
        self._ending = True

    def _watch(self, child: Child, pipe: int) -> None:
        if child.process is not None and child.process.poll() is not None:
            self._bury(child, child.process)
        if child.process is None and time.monotonic() >= child.due:
            handles = (pipe, self._listening.fileno())
            given = {**child.environment, **os.environ, PIPE: str(pipe)}
            child.process = subprocess.Popen(  # noqa: S603  # our own program
                child.command, env=given, pass_fds=handles, start_new_session=True
            )
            child.started = time.monotonic()

    def _bury(self, child: Child, process: "subprocess.Popen[bytes]") -> None:
        steady = time.monotonic() - child.started > STEADY_SECONDS
        child.pause = FIRST_PAUSE_SECONDS if steady else min(LONGEST_PAUSE_SECONDS, child.pause * 2)
        child.process, child.due = None, time.monotonic() + child.pause
        print(
            f"The {child.name} process ended with code {process.returncode}; starting it again in {child.pause:g} s.",
            file=sys.stderr,
            flush=True,
        )
        if child.on_death is not None:
            child.on_death(process.pid)

    def _stop(self) -> None:
        alive = [child.process for child in self._children if child.process and child.process.poll() is None]
        for process in alive:
            process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        for process in alive:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                self._killed(process)

    def _killed(self, process: "subprocess.Popen[bytes]") -> None:
        """A child that did not end in time is as dead as one that crashed: what it held is free for the next start."""
        process.wait()
        child = next(each for each in self._children if each.process is process)
        if child.on_death is not None:
            child.on_death(process.pid)
