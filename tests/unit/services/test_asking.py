"""What a scorer answers, looked at row by row; and which items it is asked about."""

from typing import Any

import numpy as np
import pytest

from app.formats.probabilities import Classes
from app.services.asking import ScorerFault, host, read_answer, target_of
from app.services.choosing import sureness
from labelwise import is_genuine, sign

TWO = Classes(2, {"cat": 0, "dog": 1}, False)


def read(*rows: Any, keys: tuple[str, ...] = ("a", "b"), classes: Classes = TWO) -> Any:
    return read_answer({"items": list(rows)}, keys, classes)


def test_rows_are_taken_in_any_order_and_form() -> None:
    said = read({"key": "b", "probabilities": [0.25, 0.75]}, {"key": "a", "label": "cat", "score": 0.9})

    assert said.chunk.keys == ["a", "b"]
    np.testing.assert_allclose(said.chunk.probabilities, [[0.9, 0.1], [0.25, 0.75]], atol=1e-6)
    assert said.silent == []


def test_null_says_nothing_on_purpose() -> None:
    said = read({"key": "b", "probabilities": {"dog": 1}}, {"key": "a", "probabilities": None})

    assert (said.chunk.keys, said.silent) == (["b"], ["a"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "0 rows for 2 items: 'a' is missing"),
        ([{"key": "a", "probabilities": [1, 0]}], "'b' is missing"),
        ([{"key": 1}, {"key": "b"}], 'no "key"'),
        (["a", "b"], 'no "key"'),
        ([{"key": "a", "probabilities": [1, 0]}, {"key": "b", "probabilities": [1]}], "1 numbers for 2 classes"),
        ([{"key": "a"}, {"key": "b"}], r"'a': probabilities are missing.*\(and 1 more\)"),
        ([{"key": "a", "probabilities": {"cat": 1e400}}, {"key": "b", "probabilities": [1, 0]}], "not a finite"),
        ([{"key": "a", "probabilities": {"cat": True}}, {"key": "b", "probabilities": [1, 0]}], "not a number"),
        ([{"key": "a", "probabilities": [1, 0], "html": "<b>"}, {"key": "b"}], "unknown field"),
        (
            [{"key": "a", "probabilities": [1, 0], "features": [1]}, {"key": "b", "probabilities": [1, 0]}],
            "features has 0 numbers; the first row has 1",
        ),
    ],
)
def test_the_first_fault_is_named(rows: list[Any], words: str) -> None:
    with pytest.raises(ScorerFault, match=words):
        read(*rows)


def test_only_the_host_is_told_and_fit_lies_below_the_path() -> None:
    secret = "https://example.org:8443/score/?token=hidden"

    assert host(secret) == "example.org:8443"
    assert target_of(secret, "/fit") == "/score/fit?token=hidden"
    assert target_of(secret, "") == "/score/?token=hidden"
    assert (target_of("https://example.org", ""), target_of("https://example.org", "/fit")) == ("/", "/fit")


def test_sureness_is_the_gap_of_the_two_best_or_the_distance_from_a_half() -> None:
    rows = np.array([[0.5, 0.5, 0.0], [0.7, 0.1, 0.2]], dtype=np.float32)

    np.testing.assert_allclose(sureness(rows, several=False), [0, 0.5], atol=1e-6)
    np.testing.assert_allclose(sureness(rows, several=True), [0, 0.4], atol=1e-6)


def test_a_header_made_to_try_a_scorer_out_is_genuine() -> None:
    header = sign(b"{}", "sixteen letters!")

    assert is_genuine(header, b"{}", "sixteen letters!")
    assert not is_genuine(header, b"[]", "sixteen letters!")
