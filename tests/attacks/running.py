"""A server of its own: `labelwise serve` with its children, started like an operator starts it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
STARTED = re.compile(r"Labelwise listens on (http://\S+)")
SETUP = re.compile(r"/setup/(\S+)")
LONGEST_START_SECONDS = 180


@dataclass
class Running:
    """A started service: where it listens, what it printed, and the code of its one-time link if it gave one."""

    address: str
    setup_code: str | None
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def children(self) -> list[int]:
        """The process ids of the web processes and the worker."""
        return _children(self.process.pid)

    def memory(self) -> int:
        """Bytes that the web processes hold in memory; 0 where the system does not tell."""
        return sum(_resident(pid) for pid in self.children if b"app.cli.child" in _words(pid))


def command(*words: str) -> list[str]:
    """The program as it is called."""
    return [sys.executable, "-m", "labelwise", *words]


def environment(data: Path, url: str | None = None, **more: str) -> dict[str, str]:
    """What the program is given: its settings and nothing of the caller's own. A PYTHONPATH of `more` comes first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LABELWISE_")}
    settings = {"LABELWISE_DATA": str(data), **({"LABELWISE_DATABASE_URL": url} if url else {}), **more}
    path = os.pathsep.join(filter(None, (more.get("PYTHONPATH"), str(ROOT))))
    return {**kept, **settings, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@contextmanager
def running(data: Path, url: str | None = None, *options: str, port: int = 0, **settings: str) -> Iterator[Running]:
    """A service on this data until the block ends; `settings` are `LABELWISE_...` variables.

    Raises AssertionError with what it printed when it does not start.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    log = data.parent / f"{data.name}.log"
    words = command("serve", "--port", str(port), *options)
    with log.open("ab") as out:
        before = out.tell()
        process = subprocess.Popen(
            words, env=environment(data, url, **settings), cwd=data.parent, stdout=out, stderr=out, umask=0
        )
    try:
        address, code = _started(process, log, before)
        yield Running(address, code, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _started(process: "subprocess.Popen[bytes]", log: Path, before: int) -> tuple[str, str | None]:
    end = time.monotonic() + LONGEST_START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        said = log.read_bytes()[before:].decode()
        if (found := STARTED.search(said)) and _answers(found[1]):
            link = SETUP.search(said)
            return found[1], link and link[1]
        time.sleep(0.05)
    raise AssertionError(f"the service did not start:\n{log.read_bytes()[before:].decode()}")


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(each) for each in found]


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
