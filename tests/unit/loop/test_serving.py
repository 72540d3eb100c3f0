"""What is served is drawn by keys: exact in share, and the same on every machine and in every process."""

import numpy as np

from app.loop.serving import audit_reserved, draw, is_blind, queue_length, slot_kind

KEYS = [f"item-{number}" for number in range(20_000)]


def test_the_audit_set_has_its_share_and_a_larger_share_only_adds_items() -> None:
    small = {key for key in KEYS if audit_reserved(7, key, 0.1)}
    large = {key for key in KEYS if audit_reserved(7, key, 0.2)}

    assert abs(len(small) / len(KEYS) - 0.1) < 0.01
    assert small < large
    assert not any(audit_reserved(7, key, 0.0) for key in KEYS)


def test_another_project_draws_another_audit_set() -> None:
    one = {key for key in KEYS if audit_reserved(1, key, 0.1)}
    other = {key for key in KEYS if audit_reserved(2, key, 0.1)}

    assert len(one & other) / len(one) < 0.2


def test_draws_are_uniform_63_bit_numbers_that_never_change() -> None:
    drawn = np.array([draw(7, key) for key in KEYS], dtype=np.float64) / 2.0**63

    assert abs(drawn.mean() - 0.5) < 0.01
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert draw(7, "item-0") == 3_280_380_446_897_959_565
    assert draw(-3, "ключ \u0000 键") == draw(-3, "ключ \u0000 键")


def test_three_of_ten_slots_are_audits_until_sixty_answers_and_before_and_after_the_share_that_is_set() -> None:
    first = [slot_kind(seed, slot, 0, 0.1) for seed in range(500) for slot in range(20)].count("audit")
    early = [slot_kind(5, slot, 0, 0.1) for slot in range(20, 10_020)].count("audit")
    late = [slot_kind(5, slot, 60, 0.1) for slot in range(10_000)].count("audit")

    assert abs(first / 10_000 - 0.1) < 0.015
    assert abs(early / 10_000 - 0.3) < 0.02
    assert abs(late / 10_000 - 0.1) < 0.015
    assert {slot_kind(5, slot, 0, 0.0) for slot in range(100)} == {"query"}


def test_blind_items_have_their_share_for_each_annotator_alone() -> None:
    one = {key for key in KEYS if is_blind(3, key, 1, 0.1)}
    other = {key for key in KEYS if is_blind(3, key, 2, 0.1)}

    assert abs(len(one) / len(KEYS) - 0.1) < 0.01
    assert len(one & other) / len(one) < 0.2


def test_the_queue_is_long_enough_for_the_round_and_for_who_works_now() -> None:
    assert queue_length(20, 1) == 200
    assert queue_length(100, 10) == 500
    assert queue_length(20, 300) == 900
