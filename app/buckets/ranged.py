"""A file in a bucket as a file object: only what is read of it comes over the wire."""

import io
from typing import Any

from app.buckets.base import Entry, Place
from app.core.errors import AppError

STEP = 64 << 10  # bytes of the first read
LARGEST_STEP = 4 << 20  # of reads that follow one another


class RangedFile(io.RawIOBase):
    """Reads ranges as they are asked for, growing ones while it is read on.

    Decoders swallow what their files raise, so a refusal reads as the end of the file and is kept in `refusal`:
    whoever opened it looks there afterwards.
    """

    def __init__(self, place: Place, entry: Entry) -> None:
        self._place, self._entry = place, entry
        self._at, self._step = 0, STEP
        self._start, self._held = 0, b""
        self.refusal: AppError | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place; nothing is read for it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as what is at hand reaches; 0 at the end."""
        view = memoryview(buffer).cast("B")
        if not view or self._at >= self._entry.size or not self._at_hand(len(view)):
            return 0
        begin = self._at - self._start
        piece = self._held[begin : begin + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _at_hand(self, wanted: int) -> bool:
        end = self._start + len(self._held)
        if self._start <= self._at < end:
            return True
        self._step = min(LARGEST_STEP, 2 * self._step) if self._held and self._at == end else STEP
        stop = min(self._entry.size, self._at + max(self._step, min(wanted, LARGEST_STEP)))
        try:
            self._held = self._place.read(self._entry.path, self._entry.version, self._at, stop)
        except AppError as error:
            self.refusal, self._held = error, b""
        self._start = self._at
        return bool(self._held)
