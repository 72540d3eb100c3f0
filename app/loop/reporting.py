"""Results of a simulation for people and programs: a table of words, the curves as CSV and as an SVG picture."""

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from app.loop.named import BASELINE
from app.loop.simulate import Run

COLUMNS = ("dataset", "strategy", "seed", "labels", "accuracy")
WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 48, 52
# Dark enough to read names in; dashes tell the curves apart without any colour.
COLOURS = ("#0b5cad", "#a34a00", "#00724f", "#8f3f76", "#6b5b00", "#4a4fb0", "#8a2f2f", "#2f6673")
DASHES = ("", "7 4", "2 3", "10 3 2 3", "4 2", "1 2", "12 4", "6 2 2 2")
MOST_BANDS = 3
MEGABYTE = 1 << 20


def csv_lines(runs: Sequence[Run]) -> Iterator[str]:
    """Every accuracy of every run, a line each, with a head."""
    yield _line(COLUMNS)
    for run in runs:
        for labels, accuracy in zip(run.labels, run.accuracy, strict=True):
            yield _line((run.dataset, run.strategy, run.seed, labels, f"{accuracy:.4f}"))


def _line(cells: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def table(found: dict[str, Any], budget: int) -> str:
    """An outcome as lines for a terminal: the figures of each strategy, who beats whom, and the verdict."""
    full = found["target"]["full"]
    against = "" if full is None else f" ({100 * full:.1f} % with every label)"
    head = f"{'strategy':<24}{'mean':>7}{'end':>7}{'labels to it':>14}{'of random':>20}{'s a round':>11}{'MB':>7}"
    lines = [f"target: accuracy {100 * found['target']['accuracy']:.1f} %{against}", "", head]
    lines += [_row(each, budget) for each in found["strategies"]]
    names, shares = found["beats"]["strategies"], found["beats"]["shares"]
    if len(names) > 1 and found["seeds"]:
        lines += ["", "share of seeds on which the row has the better curve than the column:"]
        lines.append(f"{'':<24}" + "".join(f"{name[:12]:>14}" for name in names))
        for place, (name, row) in enumerate(zip(names, shares, strict=True)):
            cells = ["–" if other == place else f"{value:.2f}" for other, value in enumerate(row)]
            lines.append(f"{name[:23]:<24}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join([*lines, "", found["verdict"]["text"]])


def _row(each: dict[str, Any], budget: int) -> str:
    name = f"{each['strategy'][:23]:<24}"
    if each["refused"]:
        return f"{name}refused: {each['refused']}"
    if not each["curve"]:
        return f"{name}no run is finished"
    to_target = f"> {budget}" if each["labels_to_target"] is None else f"{each['labels_to_target']:g}"
    ratio = each["ratio"]
    spread = f"{ratio['value']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})" if ratio else "–"
    peak = "–" if each["peak_bytes"] is None else f"{each['peak_bytes'] / MEGABYTE:.0f}"
    return (
        f"{name}{each['mean_accuracy']:>7.3f}{each['last_accuracy']:>7.3f}{to_target:>14}{spread:>20}"
        f"{each['choosing_seconds']:>11.3f}{peak:>7}"
    )


def svg(found: dict[str, Any], title: str) -> str:
    """The curves as a picture that stands by itself, with bands from the lowest to the highest seed.

    Of more than three curves the best one and random have bands, so that they can be told apart.
    """
    curves = [each for each in found["strategies"] if each.get("curve")]
    banded = _banded(curves)
    points = [point for each in curves for point in each["curve"]]
    last = max((point["labels"] for point in points), default=1)
    lowest = min((point["low"] for point in points), default=0.0)
    floor = max(0.0, int(lowest * 10) / 10)

    def x(labels: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * labels / last, 1)

    def y(accuracy: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (accuracy - floor) / (1 - floor or 1), 1)

    parts = [*_grid(x, y, last, floor), _target(x, y, last, found["target"]["accuracy"])]
    places = _apart([y(each["curve"][-1]["accuracy"]) for each in curves])
    for number, (each, place) in enumerate(zip(curves, places, strict=True)):
        parts += _curve(x, y, each, number, place, each["strategy"] in banded)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title[:90])}</text>{"".join(parts)}</svg>\n'
    )


def _grid(x: Any, y: Any, last: int, floor: float) -> Iterator[str]:
    step = 0.1 if 1 - floor > 0.35 else 0.05
    for number in range(round((1 - floor) / step) + 1):
        value = floor + number * step
        yield (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value)}" y2="{y(value)}" stroke="#ddd"/>'
            f'<text x="{LEFT - 8}" y="{y(value) + 4}" text-anchor="end" fill="#555">{100 * value:.0f} %</text>'
        )
    for number in range(6):
        labels = round(last * number / 5)
        below = HEIGHT - BOTTOM + 20
        yield f'<text x="{x(labels)}" y="{below}" text-anchor="middle" fill="#555">{labels}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 10}" text-anchor="end" fill="#555">labels</text>'
    words = "accuracy on held-out rows; bands: lowest to highest seed"
    yield f'<text x="{LEFT}" y="{HEIGHT - 10}" fill="#555">{words}</text>'


def _target(x: Any, y: Any, last: int, accuracy: float) -> str:
    line = (
        f'<line x1="{x(0)}" x2="{x(last)}" y1="{y(accuracy)}" y2="{y(accuracy)}" stroke="#777" stroke-dasharray="2 4"/>'
    )
    return f'{line}<text x="{x(0) + 4}" y="{y(accuracy) - 5}" fill="#555">target {100 * accuracy:.0f} %</text>'


def _banded(curves: Sequence[dict[str, Any]]) -> set[str]:
    if len(curves) <= MOST_BANDS:
        return {each["strategy"] for each in curves}
    return {BASELINE, max(curves, key=lambda each: each["mean_accuracy"])["strategy"]}


def _curve(x: Any, y: Any, each: dict[str, Any], number: int, place: float, band: bool) -> Iterator[str]:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    points = each["curve"]
    upper = [f"{x(point['labels'])},{y(point['high'])}" for point in points]
    lower = [f"{x(point['labels'])},{y(point['low'])}" for point in reversed(points)]
    middle = " ".join(f"{x(point['labels'])},{y(point['accuracy'])}" for point in points)
    end = points[-1]
    if band:
        yield f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" opacity="0.14"/>'
    yield f'<polyline points="{middle}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"/>'
    words = f"{each['strategy'][:24]} {100 * end['accuracy']:.0f} %"
    weight = "400" if each["strategy"] == BASELINE else "600"
    yield f'<text x="{x(end["labels"]) + 8}" y="{place}" fill="{colour}" font-weight="{weight}">{escape(words)}</text>'


def _apart(wanted: Sequence[float], gap: float = 17.0) -> list[float]:
    """Places of names near the ends of their curves, top to bottom, a line apart; none runs out of the picture."""
    order = sorted(range(len(wanted)), key=lambda each: wanted[each])
    places = [0.0] * len(wanted)
    above = TOP - gap
    for each in order:
        above = places[each] = max(wanted[each] + 4, above + gap)
    over = max(0.0, above - (HEIGHT - BOTTOM))
    return [round(place - over, 1) for place in places]
