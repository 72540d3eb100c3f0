"""Which Host headers are taken."""

import pytest

from app.core.hosts import is_served, is_well_formed, parse_allowed


@pytest.mark.parametrize(
    "host", ["localhost", "label.example.org:8443", "127.0.0.1:8000", "[::1]:80", "[2001:db8::1]", "a"]
)
def test_a_name_or_an_address_is_well_formed(host: str) -> None:
    assert is_well_formed(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a@b",
        "evil/health?x=",
        "a:port",
        "a:",
        "[::1",
        "::1",
        "-a",
        "a\\b",
        "caf\xe9",
        "a" * 256,
        "a,b",
        "a:1:2",
    ],
)
def test_everything_else_is_not(host: str) -> None:
    assert not is_well_formed(host)


def test_one_host_of_the_allowed_names_is_served() -> None:
    allowed = parse_allowed("Label.example.org, localhost,[::1]")

    assert is_served(["label.EXAMPLE.org:8443"], allowed)
    assert is_served(["label.example.org."], allowed)
    assert is_served(["[::1]:8000"], allowed)
    assert not is_served(["evil.example"], allowed)
    assert not is_served(["localhost", "localhost"], allowed)
    assert not is_served([], frozenset())
    assert is_served(["any.example"], frozenset())


@pytest.mark.parametrize("text", ["https://label.example.org", "label.example.org:443", "*", "a b"])
def test_a_setting_holds_names_alone(text: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        parse_allowed(text)
