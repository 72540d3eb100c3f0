"""What is stored of an item, what is refused, and which items count as copies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidPayload
from app.modalities import MODALITIES

TEXT, TABLE, IMAGE = MODALITIES["text"], MODALITIES["table"], MODALITIES["image"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("payload", [None, 5, "", " \n\t", "a\x00", "\ud800", ["a"], "x" * 1_000_001])
def test_a_text_that_cannot_be_shown_or_stored_is_refused(payload: Any) -> None:
    with pytest.raises(InvalidPayload):
        TEXT.check(payload)


def test_a_text_is_stored_as_it_came() -> None:
    assert TEXT.check("  Ünï\r\ncode  ") == "  Ünï\r\ncode  "
    assert TEXT.check("x" * 1_000_000)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, World!", "hello  world"),
        ("It's “fine”.", "it s fine"),
        ("ｆｕｌｌ", "full"),
        ("Straße", "STRASSE"),
        ("a\u200bb", "a b"),
    ],
)
def test_texts_that_differ_in_form_only_count_as_near_identical(one: str, other: str) -> None:
    assert TEXT.fingerprint(one) == TEXT.fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("room 12", "room 13"),
        ("-5 degrees", "5 degrees"),
        ("1.5", "15"),
        ("I use C++", "I use C#"),
        ("see you :)", "see you :("),
        ("great 😀", "great 😡"),
        ("कि", "का"),  # two vowels, which are marks and no letters
        ("costs $5", "costs 5%"),
        ("!!!", "???"),
    ],
)
def test_texts_that_differ_in_meaning_do_not(one: str, other: str) -> None:
    assert TEXT.fingerprint(one) != TEXT.fingerprint(other)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        [],
        {"a": []},
        {"a": {}},
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": 2**63},
        {"a": "\x00"},
        {"\ud800": 1},
        {"": 1},
        {1: 1},
        {str(number): 1 for number in range(1_001)},
    ],
)
def test_a_row_of_other_than_single_finite_values_is_refused(payload: Any) -> None:
    with pytest.raises(InvalidPayload):
        TABLE.check(payload)


def test_rows_with_the_same_values_are_copies_whatever_their_order() -> None:
    row = TABLE.check({"a": 1, "b": None, "c": "x"})

    assert TABLE.fingerprint(row) == TABLE.fingerprint({"c": "x", "b": None, "a": 1})
    assert TABLE.fingerprint(row) != TABLE.fingerprint({"c": "x", "b": 0, "a": 1})


@pytest.mark.parametrize("modality", MODALITIES.values(), ids=lambda each: each.name)
@given(payload=ANYTHING)
def test_any_payload_is_stored_or_refused_and_has_a_fingerprint(modality: Any, payload: Any) -> None:
    try:
        stored = modality.check(payload)
    except InvalidPayload:
        return

    assert modality.fingerprint(stored) == modality.fingerprint(stored)


def test_images_of_the_same_bytes_are_copies() -> None:
    one = IMAGE.check({"media": 1, "sha256": "a" * 64, "name": "one.png"})
    other = IMAGE.check({"media": 2, "sha256": "a" * 64, "name": "other.png"})

    assert IMAGE.fingerprint(one) == IMAGE.fingerprint(other)
