"""The short form of a task becomes questions and classes, or a refusal that names the field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.task_types.parsing import parse_task

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(["type", "classes", "multiple", "unanswerable", "name"])


def test_the_short_form_becomes_one_question_that_drives_the_queue() -> None:
    stored, classes = parse_task({"type": "classification", "classes": ["Cat", " Dog "], "multiple": True})

    options = {"multiple": True, "unanswerable": False}
    assert stored == {"questions": [{"id": "label", "type": "classification", "options": options, "drives": True}]}
    assert [(each["name"], each["folded_name"], each["hotkey"]) for each in classes] == [
        ("Cat", "cat", "1"),
        ("Dog", "dog", "2"),
    ]


def test_a_key_that_somebody_chose_is_given_to_no_other_class() -> None:
    _, classes = parse_task({"classes": ["a", {"name": "b", "hotkey": "1"}, "c"]})

    assert [each["hotkey"] for each in classes] == ["2", "1", "3"]


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ("classification", "task"),
        ({"type": "spans"}, "task.type"),
        ({"type": ["classification"]}, "task.type"),
        ({"type": "classification", "colour": 1}, "task"),
        ({"classes": "a,b"}, "task.classes"),
        ({"classes": None}, "task.classes"),
        ({"classes": [""]}, "task.classes"),
        ({"classes": ["a", "A "]}, "task.classes"),
        ({"classes": [{"name": "a", "hotkey": "x"}, {"name": "b", "hotkey": "x"}]}, "task.classes"),
        ({"classes": [{"name": "a", "color": "red;}"}]}, "task.classes"),
        ({"classes": ["a"], "multiple": "false"}, "task.multiple"),
        ({"classes": ["a"], "unanswerable": 1}, "task.unanswerable"),
    ],
)
def test_a_refusal_names_the_field(task: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_task(task)

    assert field in (refused.value.fields or {})


@given(ANYTHING | st.dictionaries(FIELDS, ANYTHING, max_size=4))
def test_any_task_is_parsed_or_refused(task: Any) -> None:
    try:
        stored, classes = parse_task(task)
    except Invalid:
        return

    assert len(stored["questions"]) == 1
    assert len({each["folded_name"] for each in classes}) == len(classes)
