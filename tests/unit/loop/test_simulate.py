"""Replays: the same rounds, charged honestly, resumable and repeatable."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits

from app.core.block import Block
from app.core.errors import Invalid
from app.loop.executors import LocalExecutor
from app.loop.named import Named, with_baseline
from app.loop.outcome import Target, outcome, paired_difference, ratio_to, verdict
from app.loop.reporting import csv_lines, svg, table
from app.loop.serving import audit_reserved
from app.loop.sets import Dataset, read_dataset, thinned
from app.loop.simulate import Conditions, Replay, Run, _file_name, answers, full_accuracy, simulate, simulate_all


@pytest.fixture(scope="module")
def digits() -> Dataset:
    matrix, truth = load_digits(return_X_y=True)
    matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    block = Block(matrix.astype(np.float32))
    pool, test = np.arange(1_200), np.arange(1_200, 1_797)
    names = tuple(str(digit) for digit in range(10))
    return Dataset("digits", "image", names, block.take(pool), truth[pool], block.take(test), truth[test])


def test_a_replay_asks_every_item_once_and_ends_as_before(digits: Dataset) -> None:
    first, again = simulate(digits, "auto", 3, labels=100), simulate(digits, "auto", 3, labels=100)

    assert first.labels == [20, 40, 60, 80, 100]
    assert len(set(first.order)) == 100
    assert (first.order, first.accuracy) == (again.order, again.accuracy)
    assert simulate(digits, "auto", 4, labels=20).order != first.order[:20]


def test_the_audit_share_is_charged_and_never_asked_by_the_strategy(digits: Dataset) -> None:
    run = simulate(digits, "auto", 3, labels=200, audit_share=0.1)

    reserved = [row for row in run.order if audit_reserved(3, digits.keys[row], 0.1)]
    assert len(reserved) == run.audit_labels
    assert 30 <= run.audit_labels <= 80
    assert simulate(digits, "random", 3, labels=40).audit_labels == 0


@pytest.mark.night
def test_choosing_beats_chance_on_digits(digits: Dataset) -> None:
    runs = [simulate(digits, name, seed, labels=160) for seed in (1, 2, 3) for name in ("auto", "random")]

    assert paired_difference(runs, "auto")["mean"] > 0.02
    ratio = ratio_to(runs, "auto", 0.9 * full_accuracy(digits), 160)
    assert ratio is not None
    assert ratio["value"] <= 0.75


def test_a_pool_that_runs_out_ends_the_replay(digits: Dataset) -> None:
    small = Dataset(
        "small",
        "image",
        digits.classes,
        digits.pool.take(np.arange(50)),
        digits.labels[:50],
        digits.test,
        digits.test_labels,
    )

    run = simulate(small, "margin", 1, labels=600)

    assert sorted(run.order) == list(range(50))
    assert run.fallbacks[0].startswith("round 1: random: no labels")


def test_finished_runs_are_read_from_their_files(digits: Dataset, tmp_path: Path) -> None:
    counted: list[int] = []
    first = simulate_all(digits, ["random"], [1, 2], labels=40, output=tmp_path, done=counted.append)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}

    again = simulate_all(digits, ["random"], [1, 2, 3], labels=40, output=tmp_path)

    assert counted == [1, 1]
    assert again[:2] == first
    assert {file: file.stat().st_mtime_ns for file in files} == files
    assert len(list(tmp_path.iterdir())) == 3


def test_runs_that_differ_in_anything_have_files_of_their_own(digits: Dataset, tmp_path: Path) -> None:
    conditions = [
        Conditions(labels=20, learner=name, learner_parameters=parameters)
        for name in ("auto", "ridge")
        for parameters in ({}, {"penalty": 0.03}, {"penalty": 1.0})
    ]
    conditions += [Conditions(labels=20, apart=True), Conditions(labels=20, audit_share=0.2)]
    odd = ["0 1; 5 0", "0 1;5 0", "0 1;50 0"]
    named = [Named("random"), *(Named("expected_cost", {"costs": costs}) for costs in odd)]
    named += [Named("product", {"like": "item " * 400}), Named("product", {"like": "item " * 401}), Named("product")]
    named += [Named("product", {"by": "a:like=b"}), Named("product", {"by": "a", "like": "b"})]

    for each in conditions:
        simulate_all(digits, ["random"], [1], output=tmp_path, conditions=each)
    names = {file.name for file in tmp_path.iterdir()}
    assert len(names) == len(conditions)
    assert "digits-random-20-1-v8.json" in names  # as before: what is as usual is left out
    names = {_file_name(digits, each, 1, Conditions(20)) for each in named}
    assert len(names) == len(named)
    assert max(map(len, names)) < 150
    assert (
        _file_name(digits, Named("k_means", {"keeps": 9}), 1, Conditions(20)) == "digits-k_means+keeps=9-20-1-v8.json"
    )


def test_a_replay_that_was_put_down_ends_as_one_that_was_not(digits: Dataset) -> None:
    conditions = Conditions(labels=60)
    whole = simulate(digits, "auto", 5, labels=60)

    run = Run("digits", "auto", 5)
    with LocalExecutor(1) as executor:
        while not Replay(digits, run, conditions).step(executor):
            run = Run(**json.loads(json.dumps(asdict(run))))  # as a worker that took it over finds it

    assert (run.order, run.labels, run.accuracy) == (whole.order, whole.labels, whole.accuracy)
    assert run.choosing > 0
    assert run.seconds >= run.choosing


def test_noise_is_the_same_for_every_strategy_and_costs_accuracy(digits: Dataset) -> None:
    given = answers(digits, 1, 0.3)

    assert 0.25 < float((given.argmax(axis=1) != digits.labels).mean()) < 0.35
    assert (given == answers(digits, 1, 0.3)).all()
    assert (given != answers(digits, 2, 0.3)).any()
    assert (given.sum(axis=1) == 1).all()
    assert (
        simulate(digits, "random", 1, labels=100, noise=0.3).accuracy[-1]
        < simulate(digits, "random", 1, labels=100).accuracy[-1]
    )


def test_several_classes_may_hold_and_noise_turns_one_of_them(digits: Dataset) -> None:
    sets = np.stack([digits.labels % 2, digits.labels >= 5], axis=1).astype(np.float32)
    tests = np.stack([digits.test_labels % 2, digits.test_labels >= 5], axis=1).astype(np.float32)
    data = replace(digits, classes=("odd", "high"), sets=sets, test_sets=tests)

    run = simulate(data, "mean_doubt", 1, labels=80)

    assert run.refused is None
    assert run.accuracy[-1] > 0.4
    wrong = answers(data, 1, 0.5) != sets
    assert set(wrong.sum(axis=1).tolist()) == {0, 1}


def test_an_imbalance_thins_the_pool_and_leaves_the_held_out_rows(digits: Dataset) -> None:
    thin = thinned(digits, 50)

    sizes = np.sort(np.bincount(thin.labels, minlength=10))
    assert sizes[-1] == np.bincount(digits.labels).max()
    assert (sizes[0], (np.diff(sizes) >= 0).all()) == (round(sizes[-1] / 50), True)
    assert len(thin.test) == len(digits.test)
    assert len(thin.pool) == len(thin.labels) == sizes.sum()
    assert thinned(digits, 1) is digits
    with pytest.raises(Invalid, match="from 1"):
        thinned(digits, 0.5)


def test_a_strategy_that_cannot_run_says_why_and_does_not_stop_the_others(digits: Dataset, tmp_path: Path) -> None:
    names = [Named("cvirs"), Named("scikit_activeml", {"method": "Nothing"}), Named("margin"), Named("random")]

    runs = simulate_all(digits, names, [1], conditions=Conditions(labels=40), output=tmp_path)

    assert [run.refused for run in runs[2:]] == [None, None]
    assert "only one class" in str(runs[0].refused)
    assert "no method 'Nothing'" in str(runs[1].refused)
    found = outcome(runs, [each.title for each in names], Target.of(0.9, None), 40)
    assert [each["refused"] is None for each in found["strategies"]] == [False, False, True, True]
    assert found["beats"]["strategies"] == ["margin", "random"]


def test_strategies_are_written_with_their_parameters() -> None:
    named = Named.parse("vote_entropy:heads=4")

    assert named.title == "vote_entropy:heads=4"
    assert named.settings() == {"name": "vote_entropy", "heads": 4}
    assert [each.title for each in with_baseline([Named("margin"), Named("margin")])] == ["margin", "random"]
    for wrong in ("nonsense", "margin:heads=4", "vote_entropy:heads"):
        with pytest.raises(Invalid):
            Named.parse(wrong)


def curves_of(strategy: str, accuracy: list[float]) -> list[Run]:
    """Runs whose curves rise from nought to an accuracy, a seed each."""
    return [Run("toy", strategy, seed, [10, 20], [0.0, value], rounds=3) for seed, value in enumerate(accuracy)]


def test_nobody_wins_unless_ahead_of_all_beyond_chance() -> None:
    seeds = np.random.default_rng(0).normal(0, 0.01, 10)
    best, near, low = (list(base + seeds + 0.002 * np.arange(10) % 0.003) for base in (0.9, 0.6, 0.5))

    assert verdict({"a": best, "b": near, "random": low})["winner"] == "a"
    assert "ahead of b by 30.0 points (" in verdict({"a": best, "b": near, "random": low})["text"]
    tie = verdict(
        {"a": best, "b": [value + step for value, step in zip(best, [0.01, -0.01] * 5, strict=True)], "random": low}
    )
    assert tie["winner"] is None
    assert "may be chance; of random by" in tie["text"]
    assert "is more than chance" in tie["text"]
    assert "3 of the 5 seeds" in verdict({"a": best[:3], "random": low[:3]})["text"]
    assert verdict({"random": low})["winner"] is None


def test_an_outcome_has_the_curves_the_labels_saved_and_who_beats_whom() -> None:
    runs = curves_of("margin", [0.9, 0.8, 0.9, 0.8, 0.9]) + curves_of("random", [0.5, 0.6, 0.5, 0.95, 0.5, 0.7])

    found = outcome(runs, ["margin", "random", "never"], Target.of(0.9, 0.75), 20)

    assert found["seeds"] == 0  # nothing is paired before every strategy has a run
    found = outcome(runs, ["margin", "random"], Target.of(0.9, 0.75), 20)
    margin, random = found["strategies"]
    assert (found["seeds"], margin["reached"], random["reached"]) == (5, 5, 1)
    assert margin["curve"][-1] == {"labels": 20, "accuracy": 0.86, "low": 0.8, "high": 0.9}
    assert margin["ratio"]["censored_baseline"] == 4
    assert (random["ratio"], random["labels_to_target"]) == (None, None)
    assert found["beats"]["shares"] == [[0.0, 0.8], [0.2, 0.0]]
    assert "Cannot tell" in found["verdict"]["text"]
    picture = svg(found, "toy & more")
    assert picture.count("<polyline") == 2
    assert "toy &amp; more" in picture
    assert "refused" not in table(found, 20)
    assert list(csv_lines(runs))[:2] == ["dataset,strategy,seed,labels,accuracy\n", "toy,margin,0,10,0.0000\n"]


def test_files_of_any_known_kind_are_read_and_others_refused(tmp_path: Path) -> None:
    rows = [{"text": f"word{n % 2} thing{n % 7}", "label": f"c{n % 2}"} for n in range(40)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "".join(f"{row['text']}\t{row['label']}\n" for row in rows))

    found = [read_dataset(tmp_path / name) for name in ("a.parquet", "a.json", "a.tsv")]

    assert {(each.classes, len(each.pool), len(each.test)) for each in found} == {(("c0", "c1"), 30, 10)}
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "one.json").write_text(json.dumps([{"text": "a", "label": "x"}] * 30))
    (tmp_path / "few.json").write_text(json.dumps(rows[:5]))
    for name, why in (("a.txt", "ends with none of"), ("one.json", "two classes"), ("few.json", "at least 20")):
        with pytest.raises(ValueError, match=why):
            read_dataset(tmp_path / name)
