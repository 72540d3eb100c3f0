"""Files below a folder in one fixed order: a listing can be entered anywhere and holds one folder in memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.buckets.base import Entry, ObjectLost


@dataclass(frozen=True)
class Child:
    """One thing in a folder; `entry` is None for a folder."""

    name: str
    entry: Entry | None


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
        if child.entry is None:
            inner = f"{folder}/{child.name}" if folder else child.name
            with suppress(ObjectLost):  # it went while we walked
                yield from _below(children, inner, after[1:] if child.name == first else [])
        elif child.name != first:
            yield child.entry
