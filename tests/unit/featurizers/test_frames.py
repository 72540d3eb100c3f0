"""What the description of a clip tells apart, and what its parts measure."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from app.core.arrays import Booleans, Floats
from app.featurizers import make_featurizer
from app.featurizers.frames import Frames
from app.featurizers.movement import block_movement
from tests.clips import made, square, tone, write

LABELLED, OTHERS = 40, 40


@pytest.mark.night
def test_forty_clips_teach_movement_flicker_and_tone(tmp_path: Path) -> None:
    """Five kinds, so chance is right in one of five; without the sound two of them look alike."""
    paths, labels = made(tmp_path, LABELLED + OTHERS)
    truth = np.array(labels)
    featurizer = make_featurizer("frames", {}, "video")
    state = featurizer.fit(paths[:LABELLED])
    vectors = featurizer.transform(paths, state).dense
    heard = state.parts["sound"].projection.shape[1]
    alike = np.isin(truth, ["beep", "hum"])

    def right(rows: Floats) -> Booleans:
        folds = StratifiedKFold(8, shuffle=True, random_state=0)
        return cross_val_predict(LogisticRegression(C=10, max_iter=500), rows, truth, cv=folds) == truth

    with_sound, without = right(vectors), right(vectors[:, :-heard])
    assert with_sound.mean() >= 0.8
    assert with_sound[alike].mean() >= 0.8
    assert without[alike].mean() <= 0.65


def test_blocks_are_found_where_they_went() -> None:
    first = np.zeros((1, 64, 64), dtype=np.float32)
    first[0, 16:24, 24:32] = np.random.default_rng(0).random((8, 8))
    second = np.roll(first, (-2, 5), axis=(1, 2))

    velocity, strength = block_movement(first, second)

    assert velocity[0, 2, 3].tolist() == [5, -2]
    assert strength[0, 2, 3] > 0.2
    assert not strength[0, 5:].any()


def test_a_clip_of_one_picture_without_sound_has_a_vector_and_a_broken_one_has_zeros(tmp_path: Path) -> None:
    still = write(tmp_path / "still.mp4", square(0.1))
    spoken = write(tmp_path / "spoken.mp4", square(1), sound=tone(1, 300))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(spoken.read_bytes()[:400])
    featurizer = Frames()

    vectors = featurizer.transform([still, broken, spoken, None], featurizer.fit([still, broken, spoken, None])).dense

    assert np.isfinite(vectors).all()
    assert vectors.any(axis=1).tolist() == [True, False, True, False]
