"""Classification labels: every right shape is stored by id, every wrong one is refused with a reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidLabel
from app.core.text import fold
from app.task_types import TASK_TYPES, ClassRef, Question

CLASSES = (ClassRef(1, "Sport"), ClassRef(2, "Straße"), ClassRef(3, "Old", retired=True), ClassRef(7, "Café"))
CHECK = TASK_TYPES["classification"].check
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.sampled_from(["class", "class_id", "classes", "class_ids", "unanswerable", "reason", "else"])


def question(**options: bool) -> Question:
    aliases = {fold(each.name): each.id for each in CLASSES} | {fold("Sports"): 1}
    return Question("label", "classification", options, CLASSES, aliases)


@pytest.mark.parametrize(
    ("label", "number"),
    [
        ({"class": "Sport"}, 1),
        ({"class": " sPORT "}, 1),
        ({"class": "Sports"}, 1),
        ({"class": "STRASSE"}, 2),
        ({"class": "Cafe\u0301"}, 7),
        ({"class_id": 7}, 7),
    ],
)
def test_a_class_is_found_by_id_and_by_its_present_or_former_name(label: dict[str, Any], number: int) -> None:
    assert CHECK(label, question()) == {"class_id": number}


def test_several_classes_are_stored_sorted_and_once() -> None:
    several = question(multiple=True)

    assert CHECK({"classes": ["Café", "Sport", "sport"]}, several) == {"class_ids": [1, 7]}
    assert CHECK({"class_ids": [7, 1, 7]}, several) == {"class_ids": [1, 7]}
    assert CHECK({"classes": []}, several) == {"class_ids": []}


def test_a_stored_label_comes_back_with_names() -> None:
    kind = TASK_TYPES["classification"]

    assert kind.show({"class_id": 2}, question()) == {"class": "Straße"}
    assert kind.show({"class_ids": [1, 7]}, question()) == {"classes": ["Sport", "Café"]}


def test_unanswerable_is_taken_only_where_the_project_allows_it() -> None:
    label = {"unanswerable": True, "reason": "blurred"}

    assert CHECK(label, question(unanswerable=True)) == label
    assert TASK_TYPES["classification"].targets(label, [1, 2]) is None
    with pytest.raises(InvalidLabel, match="does not take unanswerable"):
        CHECK(label, question())


def test_a_refusal_names_the_class_and_ten_that_are_there() -> None:
    many = tuple(ClassRef(number, f"c{number}") for number in range(1, 14))

    with pytest.raises(InvalidLabel, match=r"no class 'cat'; there are c1, .*c10 and 3 more$"):
        CHECK({"class": "cat"}, Question("label", "classification", {}, many, {}))
    with pytest.raises(InvalidLabel, match="'Old' is retired; there are Sport, Straße, Café"):
        CHECK({"class": "Old"}, question())


@pytest.mark.parametrize(
    "label",
    [
        None,
        [],
        "Sport",
        1,
        float("nan"),
        {},
        {"class": 1},
        {"class": None},
        {"class": "\ud800"},
        {"class": ["Sport"]},
        {"class_id": "1"},
        {"class_id": True},
        {"class_id": 1.0},
        {"class_id": float("nan")},
        {"class_id": 10**5000},
        {"class_id": [[[]]]},
        {"class": "Sport", "class_id": 1},
        {"classes": ["Sport"]},
        {"class": "Sport", "more": 1},
        {"unanswerable": False},
        {"unanswerable": True, "reason": "\x00"},
        {"unanswerable": True, "reason": "\ud800"},
        {"unanswerable": True, "reason": 5},
        {"unanswerable": True, "class": "Sport"},
    ],
)
def test_a_wrong_label_is_refused(label: Any) -> None:
    with pytest.raises(InvalidLabel) as refused:
        CHECK(label, question(unanswerable=True))

    assert str(refused.value).encode()  # the sentence can be sent, whatever the label held


def test_a_label_nested_beyond_measure_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InvalidLabel, match="given as a list"):
        CHECK({"class": deep}, question())


@given(ANYTHING | st.dictionaries(KEYS, ANYTHING, max_size=2), st.booleans(), st.booleans())
def test_nothing_but_a_stored_form_or_a_refusal_comes_out(label: Any, multiple: bool, unanswerable: bool) -> None:
    try:
        stored = CHECK(label, question(multiple=multiple, unanswerable=unanswerable))
    except InvalidLabel:
        return

    ids = stored.get("class_ids", [stored["class_id"]] if "class_id" in stored else [])
    assert set(ids) <= {1, 2, 7}
    assert stored.keys() <= {"class_ids", "class_id", "unanswerable", "reason"}


def test_distance_and_targets_of_several_classes() -> None:
    kind = TASK_TYPES["classification"]

    assert kind.distance({"class_ids": [1, 2]}, {"class_ids": [2, 7]}, question(multiple=True)) == pytest.approx(2 / 3)
    assert kind.distance({"class_id": 1}, {"class_id": 1}, question()) == 0
    assert kind.targets({"class_ids": [2, 7]}, [1, 2, 7]) == [0, 1, 1]
    assert kind.targets({"class_id": 2}, [1, 2]) == [0, 1]
