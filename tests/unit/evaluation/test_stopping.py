"""Stopping criteria: each one's inequality from both sides, the signals against scikit-learn, the advice."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from app.evaluation.stopping import CRITERIA, Seen, Terms, Verdict, advise, signals, told, verdicts
from app.evaluation.stopping.curve import fitted
from app.evaluation.stopping.signals import f_change, kappa


def series(name: str, *values: float) -> list[Seen]:
    return [replace(Seen(20 * i, agreement=0.9), **{name: value}) for i, value in enumerate(values, 1)]


def accuracies(*values: float, judges: int = 100) -> list[Seen]:
    return [Seen(20 * i, accuracy=value, low=round(value - 0.1, 6), judges=judges) for i, value in enumerate(values, 1)]


RISING = accuracies(*[0.95 - 4 / n for n in range(20, 220, 20)])  # c = 1, in points of 20 labels
SETTLED = accuracies(*[0.9 - 0.4 / n**2 for n in range(20, 220, 20)])
PRICES = Terms(hour_price=36.0, point_worth=10.0, seconds=10.0)  # an answer costs 0.10


@pytest.mark.parametrize(
    ("name", "stops", "goes_on", "terms"),
    [
        ("stable", series("agreement", 0.5, 0.986, 0.99, 0.995), series("agreement", 1.0, 0.98, 0.99, 0.995), Terms()),
        ("settled", series("f_change", 0.0, 0.3, 0.03, 0.03), series("f_change", 0.0, 0.0, 0.031, 0.03), Terms()),
        ("change", series("changed", 0.4, 0.002), series("changed", 0.0, 0.003), Terms()),
        ("uncertainty", series("uncertainty", 0.3, 0.049), series("uncertainty", 0.01, 0.05), Terms()),
        ("confidence", series("most_uncertain", 0.9, 0.049), series("most_uncertain", 0.0, 0.05), Terms()),
        ("f_change", series("f_change", 0.3, 0.04, 0.0, 0.049), series("f_change", 0.0, 0.05, 0.0, 0.0), Terms()),
        ("plateau", accuracies(0.8, *[0.804] * 10), accuracies(0.8, *[0.7] * 9, 0.806), Terms()),
        ("curve", SETTLED, RISING[:5], Terms()),
        ("certified", accuracies(0.95), accuracies(0.949), Terms(accuracy=0.85)),
        ("budget", [Seen(9)], [Seen(9)], None),
    ],
)  # fmt: skip
def test_a_criterion_stops_on_its_side_of_the_limit_alone(
    name: str, stops: list[Seen], goes_on: list[Seen], terms: Terms | None
) -> None:
    yes, no = terms or Terms(most_cost=30.0, hour_price=10.0, hours=3.0), terms or Terms(most_hours=3.0, hours=2.9)
    criterion = CRITERIA[name]

    assert criterion.judge(stops, yes).stop is True
    assert criterion.judge(goes_on, no).stop is False
    assert criterion.judge([Seen(20)], Terms()).stop is None


@pytest.mark.parametrize(
    ("name", "rounds", "stop", "words"),
    [
        ("change", series("changed", 0.4, 0.00204), False, "0.204 % of the predictions; 0.2 % or less is still."),
        ("uncertainty", series("uncertainty", 0.3, 0.0496), True, "4.96 % uncertain on the mean; less than 5 %"),
        ("confidence", series("most_uncertain", 0.9, 0.0496), True, "4.96 % uncertain; less than 5 % is sure."),
        ("stable", series("agreement", 0.5, *[0.98999] * 3), False, "0.98999 (kappa, 3 rounds); 0.99 or more"),
        ("f_change", series("f_change", 0.3, *[0.04996] * 3), True, "0.04996 a round at most (3 rounds); less"),
        ("settled", series("f_change", 0.0, 0.3, 0.0301, 0.0301), False, "changed 6.02 % of what the model says"),
        ("settled", series("f_change", 0.0, 0.3, 0.6, 0.527), False, "changed what the model says 1.1 times over (1"),
        ("plateau", accuracies(0.8, *[0.80496] * 10), True, "rose by 0.496 points; a rise of less than 0.5 points"),
        ("plateau", accuracies(0.9, *[0.756] * 10), True, "did not rise: it lies 14.4 points below the best"),
        ("plateau", accuracies(0.9, *[0.9] * 10), True, "In 10 rounds the best accuracy hardly changed; a"),
    ],
)  # fmt: skip
def test_what_is_told_compares_with_its_limit_as_the_verdict_does(
    name: str, rounds: list[Seen], stop: bool, words: str
) -> None:
    found = CRITERIA[name].judge(rounds, Terms())

    assert found.stop is stop
    assert words in found.words


def test_a_gain_just_below_half_a_point_does_not_read_as_half_a_point() -> None:
    found = CRITERIA["curve"].judge(accuracies(*[0.9 - 2.475 / n for n in range(20, 120, 20)]), Terms())

    assert found.stop is True
    assert found.value == pytest.approx(0.00495)
    assert found.words.startswith("The fitted curve rises by about 0.495 points ")


def test_a_lucky_accuracy_on_few_answers_is_no_best_one() -> None:
    lucky = [Seen(20, accuracy=1.0, judges=7), *accuracies(*[0.7 + 0.01 * i for i in range(11)], judges=20)]
    few = [replace(each, judges=19) for each in lucky]

    found = CRITERIA["plateau"].judge(lucky, Terms())

    assert (found.stop, found.value) == (False, pytest.approx(0.1))
    assert CRITERIA["plateau"].judge(few, Terms()).words == (
        "Cannot tell yet: accuracies on 20 audit answers or more over 11 rounds are needed."
    )


def changing(*rounds: tuple[int, float | None]) -> list[Seen]:
    return [Seen(labels, agreement=0.9, f_change=change) for labels, change in rounds]


@pytest.mark.parametrize(
    ("rounds", "stop"),
    [
        (changing((20, None), (40, 0.5), (50, 0.02), (60, 0.02), (80, 0.02)), True),
        (changing((20, None), (40, 0.5), (50, 0.02), (60, 0.021), (80, 0.02)), False),  # a little more in all
        (changing((20, None), (40, 0.5), (80, 0.0)), None),  # one round since 40 labels
        (changing((41, None), (60, 0.0), (80, 0.0)), None),  # what came before is not known
        (changing((41, None), (60, 0.05), (80, 0.02)), False),  # but that it is too much already
        ([*changing((20, None), (40, 0.5)), Seen(50), *changing((60, 0.0), (80, 0.0))], None),  # other classes then
    ],
)
def test_settled_sums_what_changed_since_half_of_the_labels(rounds: list[Seen], stop: bool | None) -> None:
    assert CRITERIA["settled"].judge(rounds, Terms()).stop is stop


def test_a_model_that_names_one_class_only_has_not_settled() -> None:
    rounds = [Seen(20), *(Seen(20 * n, f_change=0.0) for n in range(2, 9))]

    assert CRITERIA["settled"].judge(rounds, Terms()).stop is None


def test_rounds_that_learn_nothing_new_are_no_sign_of_stability() -> None:
    asked_for = [Seen(20), Seen(40, agreement=0.8), *[Seen(40, agreement=1.0)] * 5, Seen(45, agreement=1.0)]
    grown = [Seen(20), *(Seen(20 + 5 * i, agreement=0.991 + 0.005 * (i % 2)) for i in range(1, 7))]

    assert CRITERIA["stable"].judge(asked_for, Terms()).stop is None
    found = CRITERIA["stable"].judge(grown, Terms())
    assert (found.stop, found.value) == (True, pytest.approx(0.991))
    assert CRITERIA["change"].judge([Seen(20), Seen(40, changed=0.3), Seen(41, changed=0.0)], Terms()).stop is False


def test_a_model_that_names_one_class_only_is_not_stable() -> None:
    same = np.tile(np.array([[0.9, 0.1]], dtype=np.float32), (50, 1))
    other = same.copy()
    other[0] = 0.1, 0.9

    assert signals(40, same, same).agreement is None
    assert signals(40, other, same).agreement == pytest.approx(0)
    assert signals(40, other, other).agreement == pytest.approx(1)


def moving(*changes: float | None) -> list[Seen]:
    """Rounds of twenty labels."""
    return [Seen(20 * i, changed=change) for i, change in enumerate((None, *changes), 1)]


STEADY = moving(*[0.1] * 5, 0.04, 0.04, 0.04, 0.04)  # 200 labels: two rounds since 160, so 0.15 x 0.08 is expected


def test_the_gain_is_weighed_against_the_price_of_its_labels() -> None:
    worth = 100 * 0.15 * 0.08 * 10.0  # of 50 labels more

    cheap = CRITERIA["gain"].judge(STEADY, replace(PRICES, hour_price=worth / 50 / 10 * 3_600 * 0.99))
    dear = CRITERIA["gain"].judge(STEADY, replace(PRICES, hour_price=worth / 50 / 10 * 3_600 * 1.3))

    assert (cheap.stop, dear.stop) == (False, True)
    assert dear.value == pytest.approx(worth)
    assert dear.limit == pytest.approx(1.3 * worth)
    assert CRITERIA["gain"].judge(STEADY, Terms()).asked is False
    assert CRITERIA["gain"].judge(STEADY, replace(PRICES, seconds=None)).stop is None
    assert CRITERIA["gain"].judge(STEADY[:2], PRICES).stop is None  # too few labels


def test_the_gain_is_little_twice_before_it_says_stop_and_labels_have_to_come_between() -> None:
    rounds, dear = moving(*[0.9] * 7, 0.001, 0.001), replace(PRICES, hour_price=36.0 * 8)  # 50 labels cost 40

    first, again = (CRITERIA["gain"].judge(each, dear) for each in (rounds, [*rounds, Seen(200, changed=0.0)]))
    after = CRITERIA["gain"].judge([*rounds, Seen(220, changed=0.001)], dear)

    assert (first.stop, again.stop, after.stop) == (None, None, True)
    assert first.words.endswith("The next labels have to say so too.")


def test_the_two_estimates_of_what_is_to_come_say_what_each_goes_by() -> None:
    flat = [replace(each, accuracy=0.9, low=0.8, judges=100) for each in STEADY]
    found = verdicts(flat, replace(PRICES, point_worth=20.0))

    assert (
        found["curve"].words
        == "The fitted curve rises by about 0.0 points over 50 labels more; less than 0.5 is little."
    )
    assert found["gain"].words == (
        "By what rounds change in the predictions, 50 labels more would be worth about 24 and cost about 5."
    )
    assert advise(found).text == f"Go on: by{found['gain'].words[2:]}"


@pytest.mark.parametrize(
    ("point_worth", "hour_price", "worth", "cost"),
    [
        (37.0, 360.0, "44", "50"),  # 44.40 and 50.00
        (41.6, 360.0, "49.9", "50"),  # 49.92: less than it costs reads so
        (1_028.8, 360.0, "1,200", "50"),
        (0.4, 3.6, "0.48", "0.5"),
        (0.0, 3.6, "0", "0.5"),
    ],
)
def test_money_is_told_without_false_precision(point_worth: float, hour_price: float, worth: str, cost: str) -> None:
    words = CRITERIA["gain"].judge(STEADY, Terms(point_worth=point_worth, hour_price=hour_price, seconds=10.0)).words

    assert f"50 labels more would be worth about {worth} and cost about {cost}." in words


@pytest.mark.parametrize(
    "history",
    [
        [Seen(1_000), *(Seen(1_000 + 20 * i, changed=0.0) for i in range(1, 12))],  # less than a quarter came since
        [*moving(*[0.0] * 8), Seen(200)],  # other classes
        [*moving(*[0.0] * 4), Seen(400, changed=None), *(Seen(400 + 20 * i, changed=0.0) for i in range(1, 5))],
    ],
)
def test_the_gain_cannot_be_told_of_rounds_that_cannot_be_compared(history: list[Seen]) -> None:
    found = CRITERIA["gain"].judge(history, PRICES)

    assert (found.stop, found.asked) == (None, True)


def test_new_items_that_look_unlike_the_earlier_ones_are_a_reason_to_go_on() -> None:
    terms = replace(PRICES, unlike=True, hour_price=3_600.0)

    found = advise(verdicts(STEADY, terms))

    assert advise(verdicts(STEADY, replace(terms, unlike=False))).because == ("gain",)
    assert (found.stop, found.because) == (False, ("new_items",))
    assert found.text == "Go on: new items look unlike the earlier ones: label some of them first."
    assert advise(verdicts(STEADY, replace(terms, most_labels=10, labels=10))).because == ("budget",)


def test_the_last_day_of_a_goal_is_a_budget_that_is_spent() -> None:
    found = advise(verdicts([Seen(9)], Terms(is_over=True)))

    assert (found.stop, found.because) == (True, ("budget",))
    assert found.text == "Stop: the last day of the goal is over."


@pytest.mark.parametrize(
    ("rounds", "stop"),
    [
        # a thousand labels came at once
        ([Seen(1_000, agreement=0.9), *changing(*((1_000 + 20 * i, 0.0) for i in range(1, 26)))], True),
        ([Seen(1_000, agreement=0.9), *changing(*((1_000 + 20 * i, 0.0) for i in range(1, 25)))], None),
        ([Seen(1_000, agreement=0.9), *changing(*((1_000 + 20 * i, 0.001) for i in range(1, 26)))], None),
        # somebody asked for a round without new labels
        (changing((20, None), (40, 0.03), (60, 0.02), (60, 0.0)), True),
        (changing((30, None), (60, 0.02), (60, 0.0), (60, 0.0)), None),
        (changing((10, None), (20, 0.0), (30, 0.0), (40, 0.0), (50, 0.0)), None),  # too few labels
    ],
)
def test_settled_looks_back_as_far_as_it_can_and_counts_steps(rounds: list[Seen], stop: bool | None) -> None:
    assert CRITERIA["settled"].judge(rounds, Terms()).stop is stop


def test_the_curve_is_found_again_and_one_that_falls_is_flat() -> None:
    made = accuracies(*[0.9 - 3.0 * (20 * i) ** -0.75 for i in range(1, 9)])

    found = fitted(made)
    falling = fitted(accuracies(0.9, 0.8, 0.7, 0.6))

    assert found is not None
    assert (found.a, found.b, found.c) == pytest.approx((0.9, 3.0, 0.75))
    assert falling is not None
    assert (falling.b, falling.gain(80, 1_000)) == (0.0, 0.0)
    assert fitted(made[:3]) is None


def test_signals_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    now, before = rng.dirichlet(np.ones(4), 300), rng.dirichlet(np.ones(4), 300)
    one, other = now.argmax(axis=1), before.argmax(axis=1)

    seen = signals(40, now.astype(np.float32), before.astype(np.float32))

    assert seen.agreement == pytest.approx(cohen_kappa_score(one, other))
    assert seen.f_change == pytest.approx(1 - f1_score(one, other, average="macro"))
    assert seen.changed == pytest.approx((one != other).mean())
    assert seen.uncertainty == pytest.approx(float((-(now * np.log(now)).sum(axis=1) / np.log(4)).mean()), rel=1e-4)
    assert kappa(one, one, 4) == kappa(one * 0, one * 0, 4) == pytest.approx(1)
    assert f_change(one, one) == 0
    assert Seen.from_json(seen.to_json()).labels == 40


def test_where_several_classes_may_hold_each_is_a_prediction_of_its_own() -> None:
    before = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.9]], dtype=np.float32)
    now = before.copy()
    now[0, 1] = 0.2

    assert signals(10, now, before, multiple=True).changed == pytest.approx(1 / 6)
    assert signals(10, now, None, multiple=True).agreement is None
    assert signals(10, now[:0], None) == Seen(10)


def given(**stops: bool | None) -> dict[str, Verdict]:
    none = Verdict(None, "Not asked.", asked=False)
    return dict.fromkeys(CRITERIA, none) | {name: Verdict(stop, "Words.") for name, stop in stops.items()}


def test_the_advice_stops_for_a_goal_a_budget_or_a_price_and_else_for_what_has_settled() -> None:
    assert advise(given(certified=True)).text.startswith("Stop: the goal is reached for sure.")
    assert advise(given(budget=True)).because == ("budget",)
    assert advise(given(gain=True)).stop
    assert advise(given(settled=True, curve=False)).stop
    assert not advise(given(settled=False, curve=True)).stop
    assert not advise(given(settled=True, curve=True, gain=False)).stop  # whoever names a price has decided
    assert not advise(given(plateau=True, change=True, uncertainty=True)).stop
    assert advise(given()).text.endswith("cannot be told yet.")


def test_the_advice_to_go_on_names_the_span_whose_sum_is_too_much() -> None:
    quiet = changing((20, None), (40, 0.5), (60, 0.065), (70, 0.03), (80, 0.0006), (100, 0.0))  # hardly at last
    rising = [replace(each, accuracy=seen.accuracy, judges=100) for each, seen in zip(quiet, RISING, strict=False)]

    found, risen = (advise(verdicts(each, Terms())) for each in (quiet, rising))

    span = "Go on: since 50 labels the rounds changed 9.6 % of what the model says (1 - F, summed)"
    assert (found.stop, found.because) == (False, ("settled",))
    assert found.text == f"{span}; 6 % or less counts as settled."
    assert risen.because == ("settled", "curve")
    assert risen.text == f"{found.text} The fitted curve rises by about 1.1 points over 25 labels more."


def test_settled_predictions_wait_for_prices_that_are_named_and_cannot_tell_yet() -> None:
    early = [
        Seen(20, agreement=0.9),
        *(Seen(20 * n, agreement=0.9, f_change=0.0) for n in range(2, 6)),
    ]  # not `changed`

    unpriced, priced = (advise(verdicts(early, terms)) for terms in (Terms(), PRICES))

    assert (unpriced.stop, unpriced.because) == (True, ("settled",))
    assert (priced.stop, priced.because) == (False, ("gain",))
    assert priced.text == (
        "Go on: rounds change little, but whether more labels are worth their price cannot be told yet: "
        "it needs rounds to compare over the last fifth of the labels."
    )


def test_every_criterion_is_told_with_its_figures_after_one_round_already() -> None:
    found = verdicts([Seen(20)], Terms())

    assert [each["name"] for each in told(found)] == list(CRITERIA)
    assert all(each["stop"] is None and each["words"] for each in told(found))
    assert len({each.title for each in CRITERIA.values()}) == 12


def test_no_label_left_is_no_point_of_the_curve() -> None:
    """All labelled items may be taken out of the pool after some rounds."""
    assert CRITERIA["curve"].judge([*RISING, Seen(0)], Terms()).stop is None
