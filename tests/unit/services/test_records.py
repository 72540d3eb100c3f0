"""What a round's record says was answered: the classes that most name, and nothing of a tie."""

import numpy as np

from app.services.records import answered_with


def test_a_tie_has_no_answer_whether_one_class_holds_or_several() -> None:
    one = np.array([[0.75, 0.25, 0], [0.5, 0.5, 0], [0.4, 0.3, 0.3]], dtype=np.float32)
    several = np.array([[1, 0.75, 0.25], [1, 0.5, 0], [0, 0, 0], [2 / 3, 1 / 3, 0]], dtype=np.float32)

    assert answered_with(one, [7, 8, 9], multiple=False) == [7, None, 7]
    assert answered_with(several, [7, 8, 9], multiple=True) == [[7, 8], None, [], [7]]
