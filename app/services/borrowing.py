"""Files for featurizers, also those that stay in buckets: fetched ahead, some at once, and gone when they were read."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from app.buckets import ObjectLost
from app.core.block import Block
from app.core.errors import AppError, NotFound, Unavailable
from app.db import Database, Media
from app.featurizers import Featurizer
from app.services import buckets
from app.services.buckets import Granted

AT_ONCE = 16  # files that are fetched beside each other, and lie on the disk together


@dataclass(frozen=True)
class Files(Sequence[Any]):
    """Paths of items' files, one a payload, where some are fetched from buckets when it is their turn.

    Walked, each path is there until the next one is asked for; a slice is such a sequence again. None stands for a
    file that is none or cannot be read any more, which is then remembered. Raises Unavailable where a bucket is down.
    """

    granted: Granted
    held: Sequence[Path | Media | None]
    lost: list[tuple[Media, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.held)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> "Files": ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, int):
            raise TypeError("files that lie in buckets are walked in order")
        return Files(self.granted, self.held[place], self.lost)

    def __iter__(self) -> Iterator[Any]:
        for paths in self.groups():
            yield from paths

    def groups(self) -> Iterator[list[Path | None]]:
        """The paths, some at a time, all of which are there until the next ones are asked for."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="borrow") as pool:
            for start in range(0, len(self.held), AT_ONCE):
                with ExitStack() as stack:
                    found = list(pool.map(self._fetch, self.held[start : start + AT_ONCE]))
                    for each in found:
                        if isinstance(each, _Here):
                            stack.enter_context(each.stack)
                    for each in found:
                        if isinstance(each, Unavailable):
                            raise each
                    yield [each.path if isinstance(each, _Here) else None for each in found]

    def _fetch(self, held: Path | Media | None) -> "_Here | AppError | None":
        if held is None or isinstance(held, Path):
            return _Here(held, ExitStack()) if held is not None else None
        stack = ExitStack()
        try:
            place = self.granted.place(held.bucket)
            path = stack.enter_context(buckets.borrowed(self.granted.settings, place, buckets.entry_of(held)))
        except ObjectLost as error:
            self.lost.append((held, str(error)))
            return error
        except NotFound as error:  # taken away, and perhaps given back: the item waits
            return Unavailable(str(error))
        except Unavailable as error:
            return error
        return _Here(path, stack)


@dataclass(frozen=True)
class _Here:
    path: Path
    stack: ExitStack


def transform(featurizer: Featurizer, content: Sequence[Any], state: Any) -> Block:
    """Vectors of payloads; of files in buckets group by group, whatever order the featurizer reads them in."""
    if not isinstance(content, Files) or not len(content):
        return featurizer.transform(content, state)
    return Block.concatenate([featurizer.transform(paths, state) for paths in content.groups()])


def remember_lost(db: Database, content: Sequence[Any]) -> None:
    """Say of files that could not be read any more that they are lost."""
    for row, reason in content.lost if isinstance(content, Files) else ():
        buckets.lose(db, row, reason)
