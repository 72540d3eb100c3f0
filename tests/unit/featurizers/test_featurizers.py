"""One contract for every featurizer, and what each one knows."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from app.core.errors import Invalid
from app.featurizers import FEATURIZERS, choose_featurizer, make_featurizer, needs_refit
from app.featurizers.columns import _encode
from app.featurizers.dense import unit_rows
from tests.clips import made

TEXTS = ["the cat sat", "a dog barked at the cat", "stocks fell on Monday", "the market rose", "!!!", "ünï çödé"]
ROWS = [{"a": 1, "b": "x", "c": None}, {"a": 2.5, "b": "y"}, {"a": None, "b": "x", "c": 5}, {"a": -1e308, "b": "z"}]
VECTORS = [[1.0, 2.0], [3e38, 1.0], [1e-30, 0.0]]
PLAIN = [name for name in FEATURIZERS if not name.startswith("onnx")]


def images(folder: Path, count: int) -> list[Path]:
    paths = []
    for number, digit in enumerate(load_digits().images[:count]):
        path = folder / f"{number}.png"
        Image.fromarray((digit * 15).astype(np.uint8)).save(path)
        paths.append(path)
    return paths


def sounds(folder: Path, count: int) -> list[Path]:
    """Clips of a few tones and lengths, with a little noise."""
    paths, random_numbers = [], np.random.default_rng(0)
    for number in range(count):
        moments = np.arange(2_000 + 500 * (number % 5)) / 8_000
        tone = 0.3 * np.sin(2 * np.pi * (200 + 100 * (number % 4)) * moments)
        path = folder / f"{number}.wav"
        soundfile.write(path, tone + 0.01 * random_numbers.standard_normal(len(tone)), 8_000)
        paths.append(path)
    return paths


def payloads_of(name: str, folder: Path, count: int) -> list[Any]:
    if name == "descriptors":
        return list(images(folder, count))
    if name == "log-mel":
        return list(sounds(folder, count))
    if name == "frames":
        return list(made(folder, min(count, 12))[0])
    some: list[Any] = {"ngrams": TEXTS, "columns": ROWS, "client": VECTORS}[name]
    return [some[number % len(some)] for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 30])
@pytest.mark.parametrize("name", PLAIN)
def test_every_featurizer_gives_unit_rows_that_stay_the_same(name: str, count: int, tmp_path: Path) -> None:
    featurizer = make_featurizer(name, {})
    payloads = payloads_of(name, tmp_path, count)

    state = featurizer.fit(payloads)
    featurizer.save(state, tmp_path / "state")
    block = featurizer.transform(payloads, state)
    again = featurizer.transform(payloads, featurizer.load(tmp_path / "state"))
    refitted = featurizer.transform(payloads, featurizer.fit(payloads))

    assert block.dense.dtype == np.float32
    lengths = np.linalg.norm(block.dense, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-3) | (lengths == 0))
    np.testing.assert_array_equal(block.dense, again.dense)
    np.testing.assert_allclose(block.dense, refitted.dense, atol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_cutting_the_pool_in_other_parts_changes_no_row(name: str, tmp_path: Path) -> None:
    featurizer = make_featurizer(name, {})
    payloads = payloads_of(name, tmp_path, 12)
    state = featurizer.fit(payloads)

    whole = featurizer.transform(payloads, state)
    parts = [featurizer.transform(payloads[start : start + 5], state).dense for start in (0, 5, 10)]

    np.testing.assert_allclose(whole.dense, np.concatenate(parts), atol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_what_cannot_be_read_gives_finite_rows_and_no_error(name: str, tmp_path: Path) -> None:
    featurizer = make_featurizer(name, {})
    state = featurizer.fit(payloads_of(name, tmp_path, 10))

    block = featurizer.transform([None, None], state)

    assert np.isfinite(block.dense).all()
    assert len(block) == 2
    if name != "columns":  # a row without values is a row like others
        assert not block.dense.any()


@pytest.mark.parametrize("name", PLAIN)
def test_no_items_are_no_error(name: str, tmp_path: Path) -> None:
    featurizer = make_featurizer(name, {})

    assert len(featurizer.transform([], featurizer.fit(payloads_of(name, tmp_path, 5)))) == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ngrams", {"bits": 60}),
        ("ngrams", {"bits": "18"}),
        ("ngrams", {"characters": "no"}),
        ("ngrams", {"unknown": 1}),
        ("descriptors", {"dimensions": 0}),
        ("columns", {"features": 10**9}),
        ("columns", {"width": float("nan")}),
        ("client", {"width": 3}),
        ("onnx-text", {}),
        ("onnx-text", {"model": "/etc"}),
        ("onnx-image", {"model": "hub:owner/name@main"}),
        ("onnx-frames", {}),
        ("frames", {"dimensions": 5}),
        ("frames", {"sound": "yes"}),
        ("magic", {}),
        (["ngrams"], {}),
    ],
)
def test_parameters_out_of_range_are_refused_when_the_featurizer_is_made(name: Any, options: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        make_featurizer(name, options)


def test_auto_says_what_it_picked_and_another_modality_is_refused() -> None:
    featurizer, sentence = choose_featurizer("text", {"name": "auto"})

    assert featurizer.name == "ngrams"
    assert sentence.endswith(".")
    with pytest.raises(Invalid, match="reads items of image, not of text"):
        choose_featurizer("text", {"name": "descriptors"})


def test_a_set_is_fitted_again_when_the_pool_has_grown_tenfold() -> None:
    assert needs_refit(30, 300)
    assert not needs_refit(30, 299)
    assert not needs_refit(50_000, 10_000_000)


def test_rows_of_any_size_become_unit_rows() -> None:
    scaled = unit_rows(np.array([[3e38, 4e38 / 2], [3e-40, 0], [0, 0]], dtype=np.float32))

    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), [1, 1, 0], atol=1e-3)


def test_items_that_come_later_are_placed_by_what_was_learned_before() -> None:
    featurizer = make_featurizer("ngrams", {})
    state = featurizer.fit(TEXTS[:2])

    block = featurizer.transform(["words never seen before", "the cat"], state)

    assert block.sparse is not None
    assert block.sparse[0].nnz > 0  # the learner sees new words; the space does not
    assert block.dense[1].any()


def test_the_state_of_columns_quotes_no_row_and_one_that_does_is_still_read(tmp_path: Path) -> None:
    rows = [{"name": f"Wilhelmine {n % 3}", "age": n} for n in range(30)]
    featurizer = make_featurizer("columns", {"features": 16})
    state = featurizer.fit(rows)
    featurizer.save(state, tmp_path / "state")
    [named] = [each for each in state.columns if each["type"] == "category"]
    earlier = {"name": "name", "type": "category", "values": [f"Wilhelmine {n}" for n in range(3)]}

    assert "Wilhelmine" not in str(featurizer.load(tmp_path / "state"))
    assert len(named["digests"]) == 3
    encoded = _encode(rows, [named])
    assert encoded.sum(axis=0).tolist() == [10, 10, 10, 0]
    assert encoded.tolist() == _encode(rows, [earlier]).tolist()


def test_a_column_of_sentences_is_read_as_words() -> None:
    rng = random.Random(0)
    kinds = [rng.choice(["red green blue", "north south east"]).split() for _ in range(200)]
    rows = [{"note": " ".join(rng.choices(kind, k=6)), "n": rng.random()} for kind in kinds]
    targets = [kind[0] == "red" for kind in kinds]
    featurizer = make_featurizer("columns", {})

    dense = featurizer.transform(rows, featurizer.fit(rows[:100])).dense

    assert LogisticRegression(C=20).fit(dense[:100], targets[:100]).score(dense[100:], targets[100:]) > 0.95


def test_descriptors_tell_digits_apart(tmp_path: Path) -> None:
    paths, digits = images(tmp_path, 900), load_digits().target[:900]
    featurizer = make_featurizer("descriptors", {})

    dense = featurizer.transform(paths, featurizer.fit(paths)).dense

    assert LogisticRegression(C=20).fit(dense[:600], digits[:600]).score(dense[600:], digits[600:]) > 0.95


def test_a_damaged_or_strange_file_gives_a_row_of_zeros(tmp_path: Path) -> None:
    good = images(tmp_path, 6)
    (tmp_path / "cut.png").write_bytes(good[0].read_bytes()[:60])
    (tmp_path / "page.png").write_text("<html>")
    featurizer = make_featurizer("descriptors", {})
    state = featurizer.fit(good)

    block = featurizer.transform([good[1], tmp_path / "cut.png", tmp_path / "page.png", tmp_path / "gone.png"], state)

    assert block.dense.any(axis=1).tolist() == [True, False, False, False]


def test_log_mel_tells_tones_and_orders_apart(tmp_path: Path) -> None:
    """Rising and falling pairs of tones have the same spectrum: only their order tells them apart."""
    moments, random_numbers = np.arange(2_400) / 8_000, np.random.default_rng(0)
    paths, labels = [], []
    for number in range(120):
        low, high = 220 + random_numbers.uniform(-20, 20), 520 + random_numbers.uniform(-20, 20)
        pair = (low, high) if number % 2 else (high, low)
        clip = np.concatenate([np.sin(2 * np.pi * hertz * moments) for hertz in pair])
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.3 * clip + 0.02 * random_numbers.standard_normal(len(clip)), 8_000)
        paths.append(path)
        labels.append(number % 2)
    featurizer = make_featurizer("log-mel", {})
    block = featurizer.transform(paths, featurizer.fit(paths))

    model = LogisticRegression(C=10, max_iter=500).fit(block.dense[:60], labels[:60])

    assert model.score(block.dense[60:], labels[60:]) > 0.95


def test_log_mel_hears_the_same_at_any_rate_and_on_two_channels(tmp_path: Path) -> None:
    featurizer = make_featurizer("log-mel", {})
    state = featurizer.fit(sounds(tmp_path, 30))
    vectors = []
    for name, rate, channels in (("one.wav", 16_000, 1), ("two.flac", 44_100, 2), ("three.ogg", 48_000, 1)):
        tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)
        soundfile.write(tmp_path / name, np.repeat(tone[:, None], channels, axis=1), rate)
        vectors.append(featurizer.transform([tmp_path / name], state).dense[0])

    assert vectors[0] @ vectors[1] > 0.98
    assert vectors[0] @ vectors[2] > 0.9  # Vorbis keeps what is heard, not every sample
