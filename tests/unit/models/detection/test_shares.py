"""Shares of items in declarations and their quotients hold what they promise, by simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest

from models.detection import shares
from models.metrics import Estimate

DRAWS = 400


def test_of_items_alone_in_their_declarations_the_interval_is_the_exact_one():
    found, ones = np.repeat([1, 0], [23, 17]), np.ones(40, np.int64)
    told = shares.share(found, ones, 0.95)
    exact = binomtest(23, 40).proportion_ci(0.95, method="exact")
    # The variance between declarations is that of a sample, so one item of forty is taken away.
    assert (told.low, told.high) == pytest.approx((exact.low, exact.high), abs=0.005)
    assert told.low <= exact.low
    assert told.high >= exact.high


def test_items_that_are_judged_alike_count_as_one():
    alike = shares.share(np.repeat([5, 0], [20, 20]), np.full(40, 5), 0.95)
    alone = shares.share(np.repeat([1, 0], [20, 20]), np.ones(40, np.int64), 0.95)
    assert (alike.low, alike.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize(("found", "low", "high"), [(0, 0.0, 0.0881), (40, 0.9119, 1.0)])
def test_a_share_of_none_or_all_has_an_interval(found, low, high):
    told = shares.share(np.full(40, found // 40), np.ones(40, np.int64), 0.95)
    assert (told.low, told.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("last", [1, 2])
def test_declarations_that_are_more_alike_than_chance_say_no_more_than_their_items(last):
    told = shares.share(np.array([1] * 9 + [last]), np.full(10, 2), 0.95)
    exact = binomtest(9 + last, 20).proportion_ci(0.95, method="exact")
    assert (told.low, told.high) == pytest.approx((exact.low, exact.high))


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no share of 0 items"):
        shares.share(np.zeros(3, np.int64), np.zeros(3, np.int64), 0.95)


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_a_share_is_in_its_interval_in_95_draws_of_100(spread):
    """Also where the items of a declaration are judged by somebody who finds more or less than others do."""
    rng, within = np.random.default_rng(20240503), 0
    for _ in range(DRAWS):
        of = rng.integers(1, 5, 60)
        chance = 0.65 + (spread * (rng.random(60) - 0.5) * 1.5)
        told = shares.share(rng.binomial(of, np.clip(chance, 0, 1)), of, 0.95)
        within += told.low <= 0.65 <= told.high
    assert 0.94 <= within / DRAWS <= 0.995


def test_a_quotient_is_in_its_interval_in_95_draws_of_100():
    rng, within = np.random.default_rng(20240504), 0
    for _ in range(DRAWS):
        parts = []
        for rows, chance in ((900, 0.39), (80, 0.65)):
            ones = np.ones(rows, np.int64)
            parts.append(shares.share(rng.binomial(ones, chance), ones, 0.95))
        told = shares.quotient(*parts)
        within += told.low <= 0.6 <= told.high
    assert 0.93 <= within / DRAWS <= 0.99


def test_a_quotient_is_at_most_one_and_of_nothing_it_is_nothing():
    whole = Estimate(value=0.5, low=0.4, high=0.6)
    assert shares.quotient(Estimate(value=0.7, low=0.6, high=0.8), whole).value == 1.0
    none = shares.quotient(Estimate(value=0.0, low=0.0, high=0.02), whole)
    assert (none.value, none.low, none.high) == pytest.approx((0.0, 0.0, 0.05))
    barely = shares.quotient(Estimate(value=0.1, low=0.0, high=0.2), whole)
    assert barely.low == 0.0


def test_of_a_number_that_is_given_the_interval_is_that_of_the_whole():
    told = shares.quotient(Estimate(value=0.3), Estimate(value=0.6, low=0.5, high=0.75))
    assert (told.value, told.low, told.high) == pytest.approx((0.5, 0.4, 0.6))


@pytest.mark.parametrize("whole", [Estimate(value=None, reason="none"), Estimate(value=0.0, low=0.0, high=0.1)])
def test_nothing_is_divided_by_what_is_not_known_or_nothing(whole):
    with pytest.raises(ValueError, match=r"0\.3 over .* is no share; allowed: estimates, and a whole above 0"):
        shares.quotient(Estimate(value=0.3), whole)
