"""Ratings, comparisons and free text: right answers are stored, wrong ones refused, distances are as one reckons."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid, InvalidLabel
from app.task_types import TASK_TYPES, ClassRef, Question
from app.task_types.comparison import check_item
from app.task_types.transcription import levenshtein

RATING, COMPARISON, TEXT = (TASK_TYPES[name] for name in ("rating", "comparison", "transcription"))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.sampled_from(["value", "class", "class_id", "ranking", "text", "unanswerable", "reason", "else"])


def rating(minimum: float = 1, maximum: float = 5, step: float | None = 0.5) -> Question:
    """A rating whose levels have the ids 11, 12, ..."""
    options = RATING.options({"minimum": minimum, "maximum": maximum, "step": step})
    levels = RATING.levels(options)
    refs = tuple(ClassRef(11 + place, name) for place, name in enumerate(levels))
    return Question("tone", "rating", options, refs, {each.name: each.id for each in refs})


def other(kind: str) -> Question:
    return Question("why", kind, {}, (), {})


def test_a_rating_is_stored_with_its_level_and_shown_as_a_number() -> None:
    stored = RATING.check({"value": 2.5}, rating())

    assert stored == {"value": 2.5, "class_id": 14}
    assert RATING.check({"class": "2.5"}, rating()) == RATING.check({"class_id": 14}, rating()) == stored
    assert RATING.show(stored, rating()) == {"value": 2.5}
    assert RATING.targets(stored, [13, 14]) == [0, 1]


NO_LEVELS: list[Any] = [
    3, {}, {"value": "3"}, {"value": True}, {"value": 0.5}, {"value": 5.5}, {"value": 2.7}, {"value": float("nan")},
    {"value": 10**400}, {"value": 3, "more": 1}, {"class": "6"}, {"class_id": 9}, {"class_id": True},
    {"class_id": [1]}, {"unanswerable": True},
]  # fmt: skip


@pytest.mark.parametrize("label", NO_LEVELS)
def test_what_is_no_level_is_refused(label: Any) -> None:
    with pytest.raises(InvalidLabel):
        RATING.check(label, rating())


def test_a_rating_without_a_step_takes_any_number_between_its_bounds_and_teaches_nothing() -> None:
    free = rating(0, 1, None)

    assert RATING.check({"value": 0.123}, free) == {"value": 0.123}
    assert RATING.targets({"value": 0.123}, []) is None
    assert not RATING.teaches(free.options)
    assert not RATING.teaches(rating(0, 1000, 1).options)  # more levels than a learner tells apart
    assert RATING.levels(rating(0, 100, 1).options)[-1] == "100"


@pytest.mark.parametrize(
    "given",
    [{"minimum": 1}, {"minimum": 5, "maximum": 1}, {"minimum": 1, "maximum": 5, "step": 0},
     {"minimum": 1, "maximum": 5, "step": 3}, {"minimum": 1, "maximum": float("inf")}, {"minimum": "1", "maximum": 5},
     {"minimum": 1, "maximum": 5, "step": -1}, {"minimum": 0, "maximum": 1e9, "step": 0.1}],
)  # fmt: skip
def test_bounds_that_make_no_scale_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        RATING.options(given)


def test_levels_are_exact_numbers() -> None:
    assert RATING.levels(rating(0, 0.7, 0.1).options) == ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
    assert RATING.check({"value": 0.1 + 0.2}, rating(0, 0.7, 0.1)) == {"value": 0.3, "class_id": 14}
    assert RATING.levels(rating(-1, 1, 1).options) == ["-1", "0", "1"]


def test_a_ranking_names_every_candidate_once() -> None:
    assert COMPARISON.check({"ranking": [2, 0, 1]}, other("comparison")) == {"ranking": [2, 0, 1]}
    for wrong in ([0], [0, 0], [1, 2], [0, True], "10", list(range(11)), [0, 1.0]):
        with pytest.raises(InvalidLabel):
            COMPARISON.check({"ranking": wrong}, other("comparison"))
    with pytest.raises(InvalidLabel, match="4 candidates"):
        check_item({"ranking": [2, 0, 1]}, 4)


def test_free_text_is_kept_composed_and_trimmed() -> None:
    assert TEXT.check({"text": " Cafe\u0301\n"}, other("transcription")) == {"text": "Café"}
    for wrong in ({"text": " "}, {"text": "\ud800"}, {"text": "a\x00b"}, {"text": 7}, {"text": "x" * 1_000_001}):
        with pytest.raises(InvalidLabel):
            TEXT.check(wrong, other("transcription"))


def test_distances_run_from_equal_to_wholly_different() -> None:
    assert RATING.distance({"value": 1.0}, {"value": 5.0}, rating()) == 1
    assert RATING.distance({"value": 2.0}, {"value": 3.0}, rating()) == 0.25
    order = other("comparison")
    assert COMPARISON.distance({"ranking": [0, 1, 2]}, {"ranking": [2, 1, 0]}, order) == 1
    assert COMPARISON.distance({"ranking": [0, 1, 2]}, {"ranking": [1, 0, 2]}, order) == pytest.approx(1 / 3)
    assert COMPARISON.distance({"ranking": [0, 1]}, {"ranking": [0, 1, 2]}, order) == 1
    words = other("transcription")
    assert TEXT.distance({"text": "kitten"}, {"text": "sitting"}, words) == pytest.approx(3 / 7)
    assert TEXT.distance({"text": "a" * 5_000}, {"text": "a" * 4_999 + "b"}, words) == 1 / 2_000


@given(st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_the_bit_vectors_count_as_the_table_does(one: str, two: str) -> None:
    before = list(range(len(two) + 1))
    for row, letter in enumerate(one, start=1):
        now = [row]
        for column, wanted in enumerate(two, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (letter != wanted)))
        before = now
    assert levenshtein(one, two) == before[-1]


@pytest.mark.parametrize(("kind", "asked"), [(RATING, rating()), (COMPARISON, other("comparison")),
                                             (TEXT, other("transcription"))])  # fmt: skip
@given(label=ANYTHING | st.dictionaries(KEYS, ANYTHING, max_size=2))
def test_nothing_but_a_stored_form_or_a_refusal_comes_out(kind: Any, asked: Question, label: Any) -> None:
    try:
        stored = kind.check(label, asked)
    except InvalidLabel:
        return

    assert kind.check(kind.show(stored, asked), asked) == stored
    assert kind.check(kind.from_cell(kind.to_cell(kind.show(stored, asked)), asked), asked) == stored
