"""Prices of places, against closed forms and a recursion written down by hand."""

import math
from functools import cache

import numpy as np
import pytest

from models.live.prices import Demand, Prices, prices

STEP = 0.25  # of an expected arrival


def demand(worth=(1.0,), today=10.0, usual=10.0, taken=0.0):
    return Demand(np.array(sorted(worth), float), today, usual, taken)


def test_one_place_among_equals_is_worth_the_chance_that_somebody_comes():
    found = prices(demand((7.0,)), 1, 0, 0)
    for coming in (0, 1, 3, 10):
        assert found.price(1, coming) == pytest.approx(7 * (1 - (1 - STEP) ** (coming / STEP)))
    assert found.price(1, 10) == pytest.approx(7 * (1 - math.exp(-10)), rel=1e-4)


@pytest.mark.parametrize("taken", [0.0, 0.2])
def test_prices_are_those_of_the_recursion(taken):
    worth = (1.0, 2.0, 2.0, 30.0)

    @cache
    def value(places, steps):
        if not places or not steps:
            return 0.0
        stay, less = value(places, steps - 1), value(places - 1, steps - 1)
        bought = sum(max(each + less, stay) for each in worth) / len(worth)
        comes = taken * less + (1 - taken) * bought
        return STEP * comes + (1 - STEP) * stay

    found = prices(demand(worth, taken=taken), 3, 0, 0)
    for places in (1, 2, 3):
        for coming in (0, 1, 2, 5):
            steps = round(coming / STEP)
            assert found.price(places, coming) == pytest.approx(value(places, steps) - value(places - 1, steps))


def test_between_the_numbers_that_are_kept_prices_are_interpolated():
    found = Prices(1, (0.0, 2.0), ((1.0,), (5.0,)))
    assert [found.price(1, coming) for coming in (0, 0.5, 1, 2)] == [1, 2, 3, 5]


def test_no_place_has_no_price_that_anybody_could_pay():
    found = prices(demand(), 2, 0, 0)
    assert found.price(0, 5) == found.price(-3, 5) == math.inf


def test_more_places_than_were_thought_of_cost_no_more_than_the_last():
    found = prices(demand((1.0, 5.0)), 2, 0, 0)
    assert found.price(9, 5) == found.price(2, 5)


def test_far_more_arrivals_than_expected_make_places_dearer():
    worth = np.arange(1.0, 1001.0)
    found = prices(Demand(worth, 10.0, 10.0, 0.0), 8, 0, 0)
    assert found.price(8, 20) < found.price(8, 40) < found.price(8, 4000)
    assert found.price(8, 4000) >= found.price(1, 20)


def test_twice_the_arrivals_make_places_as_dear_as_half_of_them_are():
    found = Prices(1, (0.0, 2.0, 4.0), ((1.0,) * 4, (2.0,) * 4, (40.0, 30.0, 20.0, 10.0)))
    assert [found.price(4, coming) for coming in (4, 8, 16)] == [10, 30, 40]
    assert found.price(3, 8) == 30  # one and a half of a place is two


def test_many_places_are_counted_in_bundles_at_much_the_same_price():
    worth = np.arange(1.0, 2001.0)
    alone = prices(Demand(worth, 400.0, 400.0, 0.0), 40, 0, 0)
    bundled = prices(Demand(worth, 4000.0, 4000.0, 0.0), 400, 0, 0)
    assert alone.bundle == 1
    assert bundled.bundle == 7
    assert bundled.price(400, 4000) == pytest.approx(alone.price(40, 400), rel=0.02)
    assert bundled.price(200, 4000) == pytest.approx(alone.price(20, 400), rel=0.02)


def test_a_place_that_is_carried_is_worth_something_when_the_day_ends():
    worth = (1.0, 2.0, 30.0)
    lost, kept = prices(demand(worth), 2, 0, 0), prices(demand(worth), 0, 2, 5)
    assert lost.price(1, 0) == 0
    assert kept.price(1, 0) > 1
    assert kept.price(2, 5) > lost.price(2, 5)


def test_what_is_left_in_the_evening_is_worth_what_it_adds_to_the_days_to_come():
    """Of 1 place that perishes and 2 that are kept for 2 days there are at most 7, of which 4 outlast the night."""
    worth = (1.0, 2.0, 30.0)

    @cache
    def value(places, steps, days):
        if not places or not steps:
            return evening(places, days)
        stay, less = value(places, steps - 1, days), value(places - 1, steps - 1, days)
        return STEP * sum(max(each + less, stay) for each in worth) / len(worth) + (1 - STEP) * stay

    def evening(places, days):
        steps = round(2.0 / STEP)  # of a usual day
        return value(min(places, 4) + 3, steps, days - 1) - value(3, steps, days - 1) if days else 0.0

    found = prices(demand(worth, usual=2.0), 1, 2, 2)
    for places in range(1, 8):
        assert found.price(places, 0) == pytest.approx(evening(places, 3) - evening(places - 1, 3))


def test_a_pool_with_perishing_places_sells_them_before_the_evening():
    worth = (1.0, 2.0, 30.0)
    mixed = prices(demand(worth), 2, 1, 5)
    assert mixed.price(1, 0) > 0
    assert mixed.price(8, 0) == 0  # so many can never be carried: 1 place for 5 days, and today's 3


def test_where_nobody_ever_came_everything_is_free():
    found = prices(Demand(np.zeros(0), 0.0, 0.0, 0.0), 3, 2, 5)
    assert {found.price(places, 10) for places in (1, 3, 8)} == {0.0}


def test_what_chance_takes_makes_places_scarcer():
    worth = np.arange(1.0, 101.0)
    free, busy = (prices(demand(worth, taken=taken), 3, 0, 0) for taken in (0.0, 0.5))
    assert busy.price(3, 10) != free.price(3, 10)
    assert busy.price(1, 1) < free.price(1, 1)
