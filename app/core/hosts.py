"""The Host header: what a browser typed, and nothing that leads a link or a look-up astray."""

import re
from collections.abc import Iterable

LONGEST = 255
WELL_FORMED = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def parse_allowed(text: str) -> frozenset[str]:
    """The names of a setting with commas, lower case. Raises ValueError for one that is no host name."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if not is_well_formed(name) or (name.rpartition(":")[2].isdigit() and not name.startswith("[")):
            raise ValueError(f"{name!r} is no host name: write names alone, as label.example.org")
    return frozenset(names)


def is_well_formed(host: str) -> bool:
    """Whether it is a name or an address, with a port or without."""
    return len(host) <= LONGEST and WELL_FORMED.fullmatch(host) is not None


def name_of(host: str) -> str:
    """The name without its port, lower case."""
    bare = host if host.endswith("]") else re.sub(r":[0-9]*$", "", host)
    return bare.lower().rstrip(".")


def is_served(hosts: Iterable[str], allowed: frozenset[str]) -> bool:
    """Whether there is exactly one Host, well formed, and one of the names allowed where any is set."""
    given = list(hosts)
    return len(given) == 1 and is_well_formed(given[0]) and (not allowed or name_of(given[0]) in allowed)
