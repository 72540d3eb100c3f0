"""What orders were drawn from: places, what was taken out, and how much is kept of that."""

import numpy as np

from app.evaluation.frames import Frame


def test_what_was_taken_out_between_the_same_places_is_kept_as_one_number() -> None:
    ids = np.arange(100)
    frame = Frame.empty().dealt(ids, 0, 0)

    for count in range(1, 11):  # ten orders that nobody drew from
        frame = frame.dealt(ids[count:], 7, 7)

    assert frame.gone == [(0, 7, 10)]
    assert frame.dealt(ids, 9, 9).since.tolist() == [9] * 10 + [0] * 90
