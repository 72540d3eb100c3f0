"""How much memory a piece of work needed at its highest."""

from pathlib import Path
from types import TracebackType

PEAK = "5"  # what resets the kernel's high-water mark of a process
FORGET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class PeakMemory:
    """Measures what this process held at most within a `with` block, beyond what it held before it.

    `bytes` is None where the kernel does not say (elsewhere than on Linux). What other threads hold counts too, and
    what was freed before and used again does not, so it is a lower bound to read beside the others of one run.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._before: int | None = None

    def __enter__(self) -> "PeakMemory":
        try:
            FORGET.write_text(PEAK)
            self._before = _read("VmRSS:")
        except OSError:
            self._before = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            self.bytes = max(0, _read("VmHWM:") - self._before)


def _read(name: str) -> int:
    """A size of this process in bytes."""
    line = next(each for each in STATUS.read_text().splitlines() if each.startswith(name))
    return 1024 * int(line.split()[1])
