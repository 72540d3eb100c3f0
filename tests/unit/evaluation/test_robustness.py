"""What a disturbance costs: paired, with an interval that holds also for few pairs; and the disturbances themselves."""

import numpy as np
import pytest

from app.evaluation.robustness import loss
from app.modalities import disturbances
from app.modalities.disturbances import KINDS


def test_the_loss_is_the_mean_difference_of_the_pairs() -> None:
    plain, disturbed = np.array([1, 1, 1, 1, 0, 0, 1, 1.0]), np.array([1, 0, 0, 1, 0, 1, 1, 0.0])

    found = loss(plain.astype(np.float32), disturbed.astype(np.float32))

    assert found.value == pytest.approx((3 - 1) / 8)
    assert found.low < 0 < found.high
    assert found.n == 8


@pytest.mark.parametrize(("worse", "better"), [(0.0, 0.0), (0.1, 0.0), (0.3, 0.1)])
def test_the_interval_holds_the_true_loss(worse: float, better: float) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(500):
        draw = rng.random(40)
        plain = np.where(draw < worse, 1.0, np.where(draw < worse + better, 0.0, 1.0)).astype(np.float32)
        disturbed = np.where(draw < worse, 0.0, 1.0).astype(np.float32)
        found = loss(plain, disturbed)
        held += found.low <= worse - better <= found.high

    assert held >= 0.93 * 500


def test_texts_are_disturbed_alike_each_time_and_as_it_is_said() -> None:
    text = "The quick brown foxes are jumping over twelve lazy dogs, aren't they? " * 20
    seeds = [7]

    assert disturbances.texts("casing", [text], seeds) == [text.upper()]
    assert not set(disturbances.texts("punctuation", [text], seeds)[0]) & set(",?'")
    assert disturbances.texts("punctuation", ["?!"], seeds) == ["?!"]  # a text is never empty
    typed = disturbances.texts("typos", [text], seeds)
    assert typed == disturbances.texts("typos", [text], seeds)
    pairs = list(zip(text.split(" "), typed[0].split(" "), strict=True))
    long = [one != other for one, other in pairs if len(one) >= 4]
    assert 0.05 < np.mean(long) < 0.25
    assert all(one == other for one, other in pairs if len(one) < 4)
    assert typed != disturbances.texts("typos", [text], [8])


def test_rows_lose_cells_or_are_off_by_a_part_of_their_columns_spread() -> None:
    rows = [
        {"size": float(number), "name": f"n{number}", "open": True, "told": str(number), "grade": number % 5}
        for number in range(400)
    ]

    missing = disturbances.tables("missing", rows, list(range(400)))
    noisy = disturbances.tables("noise", rows, list(range(400)), ["size", "name", "open", "told"])

    assert 0.16 < np.mean([value is None for row in missing for value in row.values()]) < 0.24
    assert [row["name"] for row in noisy] == [row["name"] for row in rows]
    assert all(row["open"] is True for row in noisy)
    assert [row["grade"] for row in noisy] == [row["grade"] for row in rows]  # it is not read as numbers
    for column in ("size", "told"):
        off = np.array([row[column] - number for number, row in enumerate(noisy)])
        assert off.std() == pytest.approx(0.5 * np.arange(400).std(), rel=0.15)


@pytest.mark.parametrize("kind", KINDS["image"])
def test_pictures_change_and_keep_their_size(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)

    found = disturbances.image(kind, pixels, 3)

    assert found.size == (60, 40)
    assert (np.asarray(found) != pixels).mean() > 0.5
    assert (np.asarray(found) == np.asarray(disturbances.image(kind, pixels, 3))).all()
    assert (np.asarray(disturbances.image("plain", pixels, 3)) == pixels).all()


def test_a_column_is_left_out_and_the_worst_of_several_has_a_wider_interval() -> None:
    rows = [{"a": 1, "b": "x"}, {"b": "y"}]

    assert disturbances.columns(rows) == ["a", "b"]
    assert disturbances.without("b", rows) == [{"a": 1, "b": None}, {"b": None}]
    plain, disturbed = np.ones(50, dtype=np.float32), (np.arange(50) >= 10).astype(np.float32)
    one, worst = loss(plain, disturbed), loss(plain, disturbed, of=20)
    assert one.value == worst.value == pytest.approx(0.2)
    assert worst.low < one.low < one.high < worst.high
