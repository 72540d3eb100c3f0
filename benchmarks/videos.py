"""What clips of video cost and what is learned of them: python -m benchmarks.videos [--clips 500] [--seeds 10]

The clips are made, not filmed: a square of any colour and place goes left or right, flickers, or stands still and hums
or beeps, under noise; the kinds are uneven. So the figures say that movement, flicker and sound are told apart and what
asking saves on such a set, not what a project of real scenes will see. First the cost at the door and of a description,
as multiples of real time, at three sizes; then accuracy by labels; then the learning curves as `benchmarks.simulate`
draws them (rounds of 20, audit share charged, paired seeds). Finished runs are kept in benchmarks/out/videos.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: seconds are those of one core

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from app.core import clips
from app.core.arrays import AnyArray
from app.featurizers import make_featurizer
from app.loop.outcome import median_labels, paired_difference
from app.loop.sets import Dataset, make_dataset
from app.loop.simulate import full_accuracy, simulate_all
from benchmarks.featurizers import accuracy
from tests.clips import KINDS, made, square, tone, write

OUT = Path(__file__).resolve().parent / "out" / "videos"
SHARES = (0.4, 0.25, 0.15, 0.12, 0.08)  # of the kinds, in their order
NOISE = 14.0  # deviation of each pixel, of 255
SIZES = ((96, 64, 10, 1.5, 20), (384, 256, 30, 20.0, 2), (1280, 720, 25, 5.0, 1))  # width, height, rate, seconds, clips
DRAWS = 5


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--clips", type=int, default=500, help="in the pool; half as many are held out")
    given.add_argument("--seeds", type=int, default=10)
    given.add_argument("--labels", type=int, default=200)
    given.add_argument("--strategies", default="auto,random,margin")
    given.add_argument("--out", type=Path, default=OUT)
    options = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="labelwise-videos-") as place:
        costs(Path(place))
        data = made_set(Path(place), options.clips)
    learned(data)
    curves(data, options.strategies.split(","), options.seeds, options.labels, options.out / str(options.clips))


def costs(folder: Path) -> None:
    """What looking at a clip and describing it costs, this process and its decoders together."""
    print("| clip | seconds | at the door, ms | described, ms | times faster than real time |")
    print("|---|---|---|---|---|")
    for width, height, rate, seconds, count in SIZES:
        paths = [clip(folder / f"{width}-{number}.mp4", width, height, rate, seconds) for number in range(count)]
        featurizer = make_featurizer("frames", {})
        state = featurizer.fit(paths)
        begun = processor_seconds()
        for path in paths:
            clips.look(path, longest=3_600, pixels=9e6)
        looked = processor_seconds()
        featurizer.transform(paths, state)
        described = (processor_seconds() - looked) / count
        print(
            f"| {width} x {height}, {rate} a second | {seconds:g} | {1_000 * (looked - begun) / count:.0f} "
            f"| {1_000 * described:.0f} | {seconds / described:.0f} |",
            flush=True,
        )


def clip(path: Path, width: int, height: int, rate: int, seconds: float) -> Path:
    """A moving square over still noise."""
    moving: AnyArray = square(seconds, rate=rate)
    rows, columns = np.arange(height) * moving.shape[1] // height, np.arange(width) * moving.shape[2] // width
    grain = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    pictures = np.stack([np.clip(each[rows][:, columns] + grain, 0, 255).astype(np.uint8) for each in moving])
    return write(path, pictures, rate=rate, sound=tone(seconds, 300), keys_every=250)


def processor_seconds() -> float:
    """Of this process and its decoders so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = time.process_time()
    for pid in clips.decoders.waiting():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def made_set(folder: Path, count: int) -> Dataset:
    """Uneven kinds under noise; the pool and half as many held-out clips."""
    begun = time.monotonic()
    kinds = np.random.default_rng(1).choice(KINDS, size=count + count // 2, p=SHARES).tolist()
    paths, labels = made(folder, len(kinds), noise=NOISE, kinds=kinds)
    data = make_dataset("made videos", "video", paths[:count], labels[:count], paths[count:], labels[count:])
    print(f"\n{count} clips and {count // 2} held out, made and described in {time.monotonic() - begun:.0f} s")
    return data


def learned(data: Dataset) -> None:
    """Accuracy of the logistic learner from so many random labels, and of always saying the commonest kind."""
    common = np.bincount(data.test_labels).max() / len(data.test_labels)
    print(f"\nAccuracy on the held-out clips (always the commonest kind: {100 * common:.1f} %):\n")
    print("| labels | accuracy |\n|---|---|")
    for size in sorted({min(each, len(data.labels)) for each in (20, 40, 80, 160, len(data.labels))}):
        rows = [np.random.default_rng(seed).permutation(len(data.labels))[:size] for seed in range(DRAWS)]
        found = [accuracy(data.pool, data.labels, data.test, data.test_labels, each) for each in rows]
        print(f"| {size} | {100 * float(np.mean(found)):.1f} |", flush=True)


def curves(data: Dataset, strategies: list[str], seeds: int, labels: int, output: Path) -> None:
    """The table of the curves."""
    full = full_accuracy(data)
    runs = simulate_all(data, strategies, range(100, 100 + seeds), labels=labels, output=output)
    print(f"\nFull accuracy {full:.3f}; {seeds} paired seeds, {labels} labels.\n")
    print(
        "| strategy | mean accuracy | labels to 90 % of full | paired difference to random, points |\n|---|---|---|---|"
    )
    for strategy in strategies:
        own = [run.mean_accuracy for run in runs if run.strategy == strategy]
        versus = paired_difference(runs, strategy)
        reached = median_labels(runs, strategy, 0.9 * full)
        print(
            f"| {strategy} | {np.mean(own):.3f} | {reached or f'> {labels}'} "
            f"| {100 * versus['mean']:+.1f} ({100 * versus['low']:+.1f} to {100 * versus['high']:+.1f}) |"
        )


if __name__ == "__main__":
    main()
