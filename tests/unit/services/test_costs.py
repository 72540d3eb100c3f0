"""What an answer takes, in words."""

from typing import Any

import pytest

from app.services.costs import words


@pytest.mark.parametrize(
    ("factor", "without", "said"),
    [
        (1.27, 1.34, "within a factor of 1.27 (1.34 without the size)."),  # with one decimal both were 1.3
        (1.272, 1.274, "within a factor of 1.27."),
    ],
)
def test_how_well_the_size_tells_the_time_can_be_seen(factor: float, without: float, said: str) -> None:
    sizes = [{"size": 20, "seconds": 1.5}, {"size": 400, "seconds": 6.0}]
    later = {"tells": True, "factor": factor, "without": without}
    stored: dict[str, Any] = {"later": later, "sizes": sizes, "unit": "characters", "seconds": 3.0}

    assert (words(stored) or "").endswith(f"and 6.0 s at 400; half of the later answers were {said}")
