"""Which addresses of the web may be fetched for somebody: http and https, ports 80 and 443, public networks only.

The table of networks is our own, from IANA's registries of special purposes: Python's `is_global` differs between
its versions and says nothing of the IPv4 addresses that some IPv6 ones carry inside.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from app.core.errors import Invalid

PORTS = {"http": 80, "https": 443}
LONGEST = 2_000  # characters of an address
RESOLVING_SECONDS = 5.0
NOT_PUBLIC = "address not allowed: it is not of the public internet"
CLOSED = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
"""
OPEN_IPV6 = ip_network("2000::/3")  # what is given out for the internet; everything else is closed
CLOSED_IPV6 = "2001::/23 2001:db8::/32 2620:4f:8000::/48 3fff::/20"
CLOSED_NETWORKS = tuple(ip_network(each) for each in f"{CLOSED} {CLOSED_IPV6}".split())
# IPv6 networks whose addresses carry an IPv4 one, and how many bits stand behind it.
CARRIERS = ((ip_network("64:ff9b::/96"), 0), (ip_network("2002::/16"), 80), (ip_network("::ffff:0:0/96"), 0))


class AddressRefused(Invalid):
    """The address is not one that may be fetched."""


@dataclass(frozen=True)
class Place:
    """An address in its parts. `host` is in ASCII and lower case, without the brackets of IPv6."""

    scheme: str
    host: str
    port: int
    target: str  # path and query, as they go into the request


@dataclass(frozen=True)
class Allowed:
    """Hosts that may be fetched from although they are not public: `HOST[:PORT]` by commas, as in the setting."""

    entries: frozenset[tuple[str, int | None]] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Read the setting. Raises ValueError for a port that is none."""
        found = set()
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            host, colon, port = entry.rpartition(":") if not entry.endswith("]") else (entry, "", "")
            if not colon:
                host, port = entry, ""
            if port and not (port.isascii() and port.isdigit() and int(port) < 65_536):
                raise ValueError(f"LABELWISE_ALLOW_FETCH_FROM: {port!r} is no port")
            found.add((host.strip("[]"), int(port) if port else None))
        return cls(frozenset(found))

    def names(self, place: Place) -> bool:
        """Whether the operator named this host with this port, or with none and the port is a usual one."""
        if (place.host, place.port) in self.entries:
            return True
        return (place.host, None) in self.entries and place.port in PORTS.values()


def parse(address: str, allowed: Allowed) -> Place:
    """The parts of an address that may be fetched; what its name stands for is looked at by `resolve`.

    Raises:
        AddressRefused: no http or https, a name or password in it, another port, characters that libraries read
            differently, or a numeric host that is not public.
    """
    if len(address) > LONGEST:
        raise AddressRefused(f"the address is longer than {LONGEST:,} characters")
    if not address.isprintable() or " " in address or "\\" in address:
        raise AddressRefused("the address holds white space, a backslash or a control character")
    try:
        place = _parts(address)
    except ValueError:
        raise AddressRefused("this is no address: percent-encode what is not ASCII") from None
    if allowed.names(place):
        return place
    if place.port not in PORTS.values():
        raise AddressRefused(f"port {place.port} is not fetched from: 80 and 443 are")
    if not _may_be_public(place.host):
        raise AddressRefused(NOT_PUBLIC)
    return place


def resolve(place: Place, allowed: Allowed) -> list[str]:
    """The numeric addresses that a host stands for, looked up once: who connects uses these and no others.

    Raises:
        AddressRefused: one of them is not public, so none is used.
        OSError: the name is not known, or nobody answers what it stands for within 5 seconds.
    """
    # A look-up cannot be stopped, so it is left behind when it takes too long.
    pool = ThreadPoolExecutor(1, thread_name_prefix="resolve")
    try:
        looked = pool.submit(socket.getaddrinfo, place.host, place.port, type=socket.SOCK_STREAM)
        found = looked.result(RESOLVING_SECONDS)
    except TooSlow:
        raise OSError("its name was not resolved in time") from None
    except UnicodeError:
        raise OSError("its name cannot be resolved") from None
    finally:
        pool.shutdown(wait=False)
    numeric = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not allowed.names(place) and not all(is_public(ip_address(each.split("%")[0])) for each in numeric):
        raise AddressRefused(NOT_PUBLIC)
    return numeric


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet, also where it is an IPv4 one inside of an IPv6 one."""
    for network, behind in CARRIERS:
        if address in network:
            return is_public(IPv4Address((int(address) >> behind) & 0xFFFFFFFF))
    if isinstance(address, IPv6Address) and address not in OPEN_IPV6:
        return False
    return not any(address in network for network in CLOSED_NETWORKS)


def _may_be_public(host: str) -> bool:
    """Whether a host is a public address in figures, or a name of which nothing can be said without a look-up.

    The old ways of writing an address in figures count too, as whoever connects takes them: 127.1, 0x7f.1, 2130706433.
    """
    name = host.rstrip(".")
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return False
    try:
        return is_public(ip_address(host.split("%")[0]))
    except ValueError:
        pass
    try:
        return is_public(IPv4Address(socket.inet_aton(name)))
    except (OSError, ValueError):
        return True  # a name


def _parts(address: str) -> Place:
    """Raises ValueError for what is no address, AddressRefused for one of another kind."""
    parts = urlsplit(address)
    if parts.scheme not in PORTS or not parts.hostname:
        raise AddressRefused("an address begins with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise AddressRefused("an address with a user's name or password is not fetched")
    host = parts.hostname.encode("idna").decode().lower()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target.encode("ascii")
    return Place(parts.scheme, host, PORTS[parts.scheme] if parts.port is None else parts.port, target)
