"""The benchmark of stopping criteria: what its tables count, and that what it keeps is read as it was."""

from pathlib import Path

import pytest

from app.evaluation.stopping import Seen
from benchmarks import stopping


def outcome(*, ratio: float = 1.0, good: bool = True, early: bool = False, never: bool = False) -> dict[str, float]:
    return {"ratio": ratio, "good": good, "early": early, "never": never}


def test_the_shares_of_those_that_stop_count_nobody_who_goes_on() -> None:
    stops = [outcome(ratio=1.2), outcome(ratio=0.5, good=False, early=True)]

    assert stopping._row([*stops, outcome(never=True), outcome(never=True)]) == "1.00 | 75 % | 25 % | 50 %"
    assert stopping._of_stops([*stops, outcome(never=True), outcome(never=True)]) == "2 | 0.85 | 50 % | 50 %"
    assert stopping._of_stops([outcome(never=True)]) == "0 | - | - | -"


def test_runs_are_read_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [Seen(20, uncertainty=0.5), Seen(40, agreement=0.8, changed=0.1, accuracy=0.75, low=0.3, high=1.0, judges=6)]
    made = {"letters": [stopping.Trace(1_000, seen, [0.5, 0.625], [(140, 0.75)])]}
    monkeypatch.setattr(stopping, "RESULTS", tmp_path / "stopping.csv")

    stopping.write(made)

    assert stopping.stored(tmp_path / "stopping.csv") == made


def test_what_the_gain_expects_is_held_against_what_came(capsys: pytest.CaptureFixture[str]) -> None:
    seen = [Seen(20 * i, changed=0.04 if i > 1 else None) for i in range(1, 16)]  # 0.15 of two rounds of 160 to 200
    steady = stopping.Trace(9, seen, [0.5 + 0.0002 * each.labels for each in seen])

    stopping.gains({"line": [steady], "short": [stopping.Trace(9, seen[:4], [0.5] * 4)]})

    [row] = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| line")]
    found = stopping._gained(steady)
    assert found[5] == pytest.approx((1.2, 1.0))
    assert row[1] == str(len(found)) == "8"  # 100 to 240 labels
    assert row[-1] == f"{sum(said for said, _ in found) / sum(came for _, came in found):.1f} |"
