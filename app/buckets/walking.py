"""Files below a folder in one fixed order: a listing can be entered anywhere and holds one folder in memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.buckets.base import Entry, ObjectLost


@dataclass(frozen=True)
class Child:
    """One thing in a folder. `look` is None for a folder, and answers None for what is no file to list.

    It is asked of the files that are walked over alone: a folder of 100,000 is entered again every two seconds.
    """

    name: str
    look: Callable[[], Entry | None] | None


def walk(children: Callable[[str], Sequence[Child]], folder: str, after: str | None) -> Iterator[Entry]:
    """Files below a folder whose path stands behind `after`, folder by folder, each in the order of names."""
    before = folder and f"{folder}/"
    rest = after.removeprefix(before).split("/") if after is not None else []
    yield from _below(children, folder, rest)


def _below(children: Callable[[str], Sequence[Child]], folder: str, after: list[str]) -> Iterator[Entry]:
    first = after[0] if after else ""
    for child in sorted(children(folder), key=lambda each: each.name):
        if child.name.startswith(".") or child.name < first:
            continue
        if child.look is None:
            inner = f"{folder}/{child.name}" if folder else child.name
            with suppress(ObjectLost):  # it went while we walked
                yield from _below(children, inner, after[1:] if child.name == first else [])
        elif child.name != first and (entry := child.look()) is not None:
            yield entry
