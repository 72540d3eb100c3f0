"""The tables of plug-in rooms: our own entries, and those of installed packages."""

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import TypeVar

Entry = TypeVar("Entry")


class BrokenPlugin(RuntimeError):
    """An installed package announces an entry that cannot be used."""


def entries(room: str, own: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by their `name`: the room's own, then what packages join to the group `labelwise.<room>`.

    Raises:
        BrokenPlugin: an entry cannot be loaded, has no name, or takes a name that is taken. The service does not
            start without something that somebody installed for it.
    """
    found = {_name(each): each for each in own}
    for point in sorted(entry_points(group=f"labelwise.{room}"), key=lambda each: each.name):
        package = point.dist.name if point.dist else "?"
        try:
            entry = point.load()
            name = _name(entry)
        except Exception as error:
            raise BrokenPlugin(
                f"the package {package} joins {point.value} to {room}, which cannot be loaded: {error!r}; "
                "mend or uninstall it"
            ) from error
        if name in found:
            raise BrokenPlugin(f"the package {package} joins {name!r} to {room}, and that name is taken")
        found[name] = entry
    return found


def _name(entry: object) -> str:
    name = getattr(entry, "name", None)
    if not isinstance(name, str) or not name:
        raise BrokenPlugin(f"{entry!r} has no name")
    return name
