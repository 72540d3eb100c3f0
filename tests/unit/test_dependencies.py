"""Versions: none below what an advisory mended, asked for where we say what we need, and pinned where we test it."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The lowest version that is safe, and which advisory says so.
FLOORS = {
    "jinja2": ("3.1.6", "CVE-2025-27516: templates that call `attr` left their sandbox"),
    "pillow": ("12.2.0", "PYSEC-2026-2250: a FITS file of some kilobytes unpacked to gigabytes"),
    "python-multipart": ("0.0.18", "CVE-2024-53981: a form without an end was logged byte by byte"),
    "scikit-learn": ("1.5.0", "CVE-2024-5206: a vectoriser kept the texts that it was taught"),
    "starlette": ("1.0.1", "CVE-2026-48710: a Host header changed the path that a request was judged by"),
}


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", text)[:4])


def asked() -> dict[str, str]:
    """The lowest version of each package of the service that an installation may take."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found = [re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\d.]+)$", each) for each in extras["server"]]
    return {match[1].lower(): match[2] for match in found if match}


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.lower().split("==") for line in lines if "==" in line and not line.startswith("#"))


@pytest.mark.parametrize("name", FLOORS)
def test_no_version_below_an_advisorys_is_installed_asked_for_or_pinned(name: str) -> None:
    floor, advisory = FLOORS[name]

    for where, given in (("installed", version(name)), ("asked for", asked()[name]), ("pinned", pinned()[name])):
        assert numbers(given) >= numbers(floor), f"{name} {given} is {where}; {advisory}"


def test_every_package_of_the_service_has_a_floor_and_a_pin() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert len(asked()) == len(extras["server"])
    assert [name for name in asked() if name not in pinned()] == []
    assert [name for name, lowest in asked().items() if numbers(pinned()[name]) < numbers(lowest)] == []
