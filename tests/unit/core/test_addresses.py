"""Which addresses may be fetched: many spellings of the same few places."""

import socket
import threading
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import addresses
from app.core.addresses import AddressRefused, Allowed, is_public, parse, resolve
from app.core.errors import AppError

NOBODY = Allowed()
CLOSED = """
    127.0.0.1 127.1.2.3 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 169.254.169.254 192.0.0.8
    192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001:0:1::1 fe80::1 fd00:ec2::254
    fec0::1 ff02::1 2001:db8::1 100::1 ::ffff:10.0.0.1 2002:a00:1::1
"""
PUBLIC = """
    1.1.1.1 8.8.8.8 100.63.255.255 172.32.0.1
    2606:4700::1111 2a00:1450::1 64:ff9b::101:101 2002:101:101::1
"""


@pytest.mark.parametrize("numeric", CLOSED.split())
def test_what_is_not_the_public_internet_is_closed(numeric: str) -> None:
    host = f"[{numeric}]" if ":" in numeric else numeric

    assert not is_public(ip_address(numeric))
    with pytest.raises(AddressRefused, match="not allowed"):
        parse(f"http://{host}/x", NOBODY)


@pytest.mark.parametrize("numeric", PUBLIC.split())
def test_the_public_internet_is_open(numeric: str) -> None:
    assert is_public(ip_address(numeric))


@pytest.mark.parametrize(
    "address",
    [
        *("", "x", "//host/x", "/x", "image.png", "http:", "http://", "https:///x", "http://:80/"),
        *(
            "file:///etc/passwd",
            "ftp://a.example/x",
            "gopher://a.example",
            "data:image/png;base64,AAAA",
            "jar:http://a!/",
        ),
        *("http://a.example:22/", "http://a.example:8080/", "https://a.example:0/", "http://a.example:99999/"),
        *("http://user@a.example/", "http://user:word@a.example/", "http://a.example\\@127.0.0.1/"),
        *(
            "http://127.0.0.1\\@a.example/",
            "http://a.example%2f@127.0.0.1/",
            "http://a.example /",
            "http://a.exa\tmple/",
        ),
        *(
            "http://a.example/\r\nX: y",
            "http://a.example/\0",
            "http://a..example/",
            "http://[::1",
            "http://[fe80::1%25lo]/",
        ),
        *("http://１２７.0.0.1/", "http://①②⑦.⓪.⓪.①/", "http://a.example/ä", "http://a.example/" + "x" * 2_000),
    ],
)
def test_what_is_no_address_of_a_public_file_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        parse(address, NOBODY)


@pytest.mark.parametrize(
    "spelling", ["localhost", "LOCALHOST.", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "127.0.0.1."]
)
def test_other_spellings_of_this_machine_are_refused_once_they_are_looked_up(spelling: str) -> None:
    with pytest.raises((AddressRefused, OSError)):
        resolve(parse(f"http://{spelling}/", NOBODY), NOBODY)


def test_one_private_address_among_public_ones_closes_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*numeric: str):
        return lambda host, port, **_: [(socket.AF_INET, 1, 6, "", (each, port)) for each in numeric]

    place = parse("https://a.example/x", NOBODY)
    monkeypatch.setattr(socket, "getaddrinfo", answers("1.1.1.1", "10.0.0.1"))
    with pytest.raises(AddressRefused):
        resolve(place, NOBODY)
    monkeypatch.setattr(socket, "getaddrinfo", answers("1.1.1.1", "1.1.1.1", "8.8.8.8"))
    assert resolve(place, NOBODY) == ["1.1.1.1", "8.8.8.8"]


def test_a_look_up_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: end.wait(5) and [])
    monkeypatch.setattr(addresses, "RESOLVING_SECONDS", 0.05)

    with pytest.raises(OSError, match="in time"):
        resolve(parse("https://a.example/x", NOBODY), NOBODY)
    end.set()


def test_what_the_operator_names_is_open_on_its_port_only() -> None:
    allowed = Allowed.parse(" 127.0.0.1:9000, files.intern ,[::1]:81")

    assert parse("http://127.0.0.1:9000/x?y", allowed).target == "/x?y"
    assert parse("http://FILES.intern/x", allowed).host == "files.intern"
    assert parse("http://[::1]:81/", allowed).port == 81
    for closed in ("http://127.0.0.1/", "http://127.0.0.1:9001/", "http://files.intern:9000/", "http://[::1]/"):
        with pytest.raises(AddressRefused):
            parse(closed, allowed)
    assert Allowed.parse("") == NOBODY
    with pytest.raises(ValueError, match="port"):
        Allowed.parse("a.example:http")


@given(st.one_of(st.text(max_size=60), st.text("htps:/@[]\\.#?%1a0xé ", max_size=30).map("http://".__add__)))
def test_any_text_has_a_host_and_a_usual_port_or_is_refused(address: str) -> None:
    try:
        place = parse(address, NOBODY)
    except AppError:
        return
    assert place.port in (80, 443)
    assert place.host
    assert place.target.isascii()
