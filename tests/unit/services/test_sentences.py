"""What the overview says of labels saved: each sentence at the edge where it begins and ends."""

from typing import Any

import pytest

from app.db import Round
from app.evaluation.saved import Saved
from app.services.sentences import how_words, saved_words

AT = "on the way to what 80 random labels teach (round 7; all such intervals hold together with 90 %)"


def judged(choice: str = "random", **found: Any) -> Round:
    saved = Saved(**{"looks": 1, "judged": 100, "labels": 80, "round": 7, **found})
    return Round(metrics={"audit": {"accuracy": None}, "how": {"choice": choice}, "saved": saved.to_json()})


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1, 60, f"Choosing saved 1 to 60 labels {AT}."),
        (0, 60, f"Cannot tell yet whether choosing saves labels: none to 60 saved {AT}."),
        (-5, 60, f"Cannot tell yet whether choosing saves labels: 5 lost to 60 saved {AT}."),
        (-1_200, 1, f"Cannot tell yet whether choosing saves labels: 1,200 lost to 1 saved {AT}."),
        (20, 80, f"Choosing saved 20 labels or more {AT}."),
        (0, 80, f"Cannot tell yet whether choosing saves labels: none lost {AT}."),
        (-5, 80, f"Cannot tell yet whether choosing saves labels: at most 5 lost {AT}."),
        (None, 60, f"Cannot tell yet whether choosing saves labels: at most 60 saved {AT}."),
        (None, -80, f"Choosing cost 80 labels or more {AT}."),
        (None, -1, f"Choosing cost 1 label or more {AT}."),
        (-1_200, 0, f"Choosing cost labels {AT}."),
    ],
)
def test_labels_saved_are_said_with_both_ends(low: int | None, high: int, words: str) -> None:
    assert saved_words(judged(low=low, high=high)) == words


def test_that_choosing_cost_labels_is_said_only_where_audit_answers_are_kept_apart() -> None:
    for high in (-80, 0):
        words = saved_words(judged(low=None, high=high, apart=False))
        assert words == "Cannot tell yet whether choosing saves labels: on these audit answers it did not."


def test_without_a_finding_it_cannot_be_told_and_without_audit_answers_nothing_is_said() -> None:
    nothing = Round(metrics={"audit": {"accuracy": None}, "saved": Saved(looks=1).to_json()})

    assert saved_words(nothing) == (
        "Cannot tell yet whether choosing saves labels: too few audit answers compare it with random ones."
    )
    assert saved_words(Round(metrics={"audit": None, "saved": Saved().to_json()})) is None
    assert saved_words(Round(metrics=None)) is None
    assert saved_words(None) is None


@pytest.mark.parametrize(
    ("looks", "judged", "words"),
    [
        (1, 41, "a look at 41 audit answers {}; the next is at 62."),
        (2, 62, "2 looks, the last at 62 audit answers, {}; the next is at 93."),
    ],
)
def test_looks_that_told_nothing_are_said_with_the_next_one(looks: int, judged: int, words: str) -> None:
    found = Saved(looks=looks, judged=judged)
    last = Round(metrics={"audit": {"accuracy": None}, "saved": found.to_json()})

    told = words.format("could not tell chosen labels from random ones")
    assert saved_words(last) == f"Cannot tell yet whether choosing saves labels: {told}"
    assert (found.waits_for(found.next_at - 1), found.waits_for(found.next_at)) == (False, True)


def test_chosen_audit_items_compare_nothing() -> None:
    words = saved_words(judged("active", low=20, high=60))

    assert words == "Audit items are chosen, so no random answers say whether choosing saves labels."


def test_a_round_of_before_says_no_number_of_audit_items_that_come_first() -> None:
    """Of a round that an earlier version stored it is not known, and the overview was an error."""
    how = {"speaks_of": 0.5, "unheard": 7}
    last = Round(metrics={"how": how})

    assert "7 audit items came in too late or were passed over." in str(how_words(last, 0.1))
    last.metrics = {"how": how | {"ahead": 3}}
    assert "passed over; 3 of them come first now." in str(how_words(last, 0.1))


def test_no_audit_item_comes_first_where_none_is_given_out() -> None:
    last = Round(metrics={"how": {"speaks_of": 0.5, "unheard": 12, "ahead": 9}})

    words = str(how_words(last, 0.0))

    assert "passed over; none of them comes first while the audit share is 0." in words
    assert "come first now" not in words
