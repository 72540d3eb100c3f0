"""A form of several questions: how it is written down, and how its labels are checked and compared."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.errors import Invalid, InvalidLabel
from app.db import ProjectClass
from app.services import consensus, tasks
from app.services.tasks import _question
from app.task_types import Question
from app.task_types.parsing import parse_task

TOPIC = {"name": "topic", "type": "classification", "classes": ["war", "sport", "other"]}
TONE = {"name": "tone", "type": "rating", "minimum": 1, "maximum": 5, "step": 1, "title": "How warm?"}
WHY = {"name": "why", "type": "transcription", "required": False, "show_if": {"topic": "other"}}


def form(*fields: dict[str, Any]) -> tuple[Question, ...]:
    """The questions of a form, as they are read from the tables."""
    stored, specs = parse_task({"type": "form", "fields": list(fields)})
    rows = [
        ProjectClass(number=number, aliases=[], retired=False, merged_into=None, **spec)
        for number, spec in enumerate(specs, start=1)
    ]
    return tuple(_question(each, rows) for each in stored["questions"])


ASKED = form(TOPIC, TONE, WHY)


def test_classes_and_levels_are_counted_over_all_questions() -> None:
    assert [(each.id, [ref.id for ref in each.classes], each.drives) for each in ASKED] == [
        ("topic", [1, 2, 3], True),
        ("tone", [4, 5, 6, 7, 8], False),
        ("why", [], False),
    ]
    assert dict(ASKED[2].show_if) == {"topic": [3]}
    assert [each.title for each in ASKED] == ["topic", "How warm?", "why"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([], "1 to 30"),
        ([{**TOPIC, "name": "label"}], "not called"),
        ([{**TOPIC, "name": "a b"}], "begins with a letter"),
        ([TOPIC, {**TONE, "name": "Topic"}], "two questions"),
        ([WHY, TOPIC], "no earlier question"),
        ([TOPIC, {**WHY, "show_if": {"topic": "peace"}}], "names no class"),
        ([TOPIC, {**WHY, "show_if": {"topic": []}}], "names no class"),
        ([TOPIC, {**WHY, "drives": True}], "teaches no learner"),
        ([{**TOPIC, "drives": True}, {**TONE, "drives": True}], "not several"),
        ([{**TONE, "classes": ["a"]}], "unknown fields: classes"),
        ([{**TOPIC, "required": 1}], "true or false"),
        ([{"name": "inner", "type": "form", "fields": []}], "type is one of"),
        ([{**TOPIC, "name": f"t{n}", "classes": [f"c{m}" for m in range(400)]} for n in range(3)], "1,000"),
    ],
)
def test_a_form_that_cannot_be_asked_is_refused_with_its_field(fields: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse_task({"type": "form", "fields": fields})


def test_the_queue_is_driven_by_the_first_question_that_can_and_is_always_asked() -> None:
    hidden = {**TOPIC, "name": "detail", "show_if": {"tone": [1, 2]}}

    assert tasks.driving(form(WHY | {"show_if": {}}, TONE, hidden)).id == "tone"
    assert tasks.driving(form(TONE, {**hidden, "drives": True})).id == "detail"
    silent = form(WHY | {"show_if": {}}, {**TONE, "step": None})
    assert not tasks.driving(silent).drives
    assert tasks.silence(silent) == "None of the questions teaches a learner: the order covers the pool."
    assert tasks.silence(form(WHY | {"show_if": {}})) == "Free text teaches no learner: the order covers the pool."
    assert tasks.silence(ASKED) is None


def test_a_label_of_a_form_is_stored_by_question() -> None:
    label = {"fields": {"topic": {"class": "other"}, "tone": {"value": 4}, "why": {"text": "a poem"}}}

    stored = tasks.check_label(label, ASKED)

    assert stored == {"topic": {"class_id": 3}, "tone": {"value": 4.0, "class_id": 7}, "why": {"text": "a poem"}}
    assert tasks.show_label(stored, ASKED) == label
    assert tasks.check_label({"fields": {**label["fields"], "why": {"text": ""}}}, ASKED).keys() == {"topic", "tone"}


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"class": "war"}, "fields"),
        ({"fields": {}}, "topic is not answered"),
        ({"fields": {"topic": {"class": "war"}}}, "tone is not answered"),
        ({"fields": {"topic": {"class": "war"}, "tone": {"value": 9}}}, "tone: value is 1 to 5"),
        ({"fields": {"topic": {"class": "war"}, "tone": {"value": 1}, "mood": {"value": 1}}}, "no question 'mood'"),
        (
            {"fields": {"topic": {"class": "war"}, "tone": {"value": 1}, "why": {"text": "so"}}},
            "why is asked only where topic is other: leave it out",
        ),
    ],
)
def test_a_label_that_does_not_fit_says_which_question_and_why(label: Any, said: str) -> None:
    with pytest.raises(InvalidLabel, match=said):
        tasks.check_label(label, ASKED)


class Given:
    """An answer as `consensus` reads it."""

    def __init__(self, label: dict[str, Any], decisive: bool = False) -> None:
        self.label, self.decisive, self.created_at = label, decisive, datetime(2026, 1, 1, tzinfo=UTC)


def said(topic: int, tone: float, why: str | None = None) -> Any:
    label: dict[str, Any] = {"topic": {"class_id": topic}, "tone": {"value": tone, "class_id": 3 + int(tone)}}
    return Given(label | ({"why": {"text": why}} if why else {}))


def test_each_question_is_decided_by_itself_and_a_remark_is_no_dispute() -> None:
    found = consensus.of([said(3, 4, "odd"), said(3, 4, "strange"), said(1, 4)], ASKED)

    assert found.label == {"topic": {"class_id": 3}, "tone": {"value": 4.0, "class_id": 7}}
    assert not found.disputed
    assert found.agreement == pytest.approx(1 / 3, abs=1e-4)  # of the question that drives


def test_a_tie_in_a_question_that_has_to_be_answered_is_a_dispute() -> None:
    found = consensus.of([said(1, 2), said(1, 5)], ASKED)

    assert found.disputed
    assert found.label is None
    assert found.agreement == 1


def test_what_was_decided_before_hides_what_is_asked_after() -> None:
    found = consensus.of([said(1, 4), said(1, 4), said(3, 4, "odd")], ASKED)

    assert found.label == {"topic": {"class_id": 1}, "tone": {"value": 4.0, "class_id": 7}}
