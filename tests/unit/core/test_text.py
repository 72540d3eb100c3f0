"""What passes the boundary can be stored on both databases."""

import pytest

from app.core.errors import BadSyntax, Invalid
from app.core.text import check_json, check_text, fold, read_json


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'"\\ud800"', b'{"a": Infinity}', b"\xff", b"[" * 5000, b"1 2"])
def test_what_is_not_json_is_bad_syntax(body: bytes) -> None:
    with pytest.raises(BadSyntax):
        read_json(body)


@pytest.mark.parametrize(
    "value",
    ["a\x00b", "\ud800", float("nan"), float("inf"), 2**63, -(2**63) - 1, {"a\x00": 1}, {1: 2}, {1}, [["\udfff"]]],
)
def test_what_a_database_cannot_hold_is_invalid(value: object) -> None:
    with pytest.raises(Invalid):
        check_json(value)


def test_integers_up_to_64_bits_keep_every_digit() -> None:
    assert read_json(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_text_is_measured_in_code_points() -> None:
    assert check_text("🙂" * 5, limit=5) == "🙂" * 5
    with pytest.raises(Invalid):
        check_text("🙂" * 6, limit=5)


def test_names_are_equal_after_composition_and_case_folding() -> None:
    assert fold(" E\u0301cole ") == fold("\u00e9COLE")
    assert fold("Straße") == fold("STRASSE")
