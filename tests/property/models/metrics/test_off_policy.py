"""Estimates, compared with enumerating everything that could have been inspected."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.metrics.off_policy import Expected, Log, estimate
from tests.support.examples import examples

untimed = settings(deadline=None)


def floats(size, low, high):
    return arrays.arrays(np.float64, size, elements=st.floats(low, high))


@st.composite
def logs(draw, most=30):
    size = draw(st.integers(1, most))
    is_hit = draw(arrays.arrays(bool, size))
    revenue = is_hit * draw(floats(size, 0, 1e6))
    hit = draw(floats(size, 0, 1))
    expected = Expected(hit, hit * draw(floats(size, 0, 1e6)))
    return is_hit, revenue, draw(floats(size, 0.05, 1)), draw(floats(size, 0, 1)), expected


@given(logs(most=6))
@settings(untimed, max_examples=examples(25))
def test_over_all_that_could_have_been_inspected_totals_are_exact(problem):
    is_hit, revenue, propensity, chosen, expected = problem
    chosen = np.maximum(chosen, 0.01)
    total = {(method, figure): 0.0 for method in ("ipw", "dr") for figure in ("precision", "revenue")}
    for case in product((False, True), repeat=len(is_hit)):
        is_inspected = np.array(case)
        chance = np.where(is_inspected, propensity, 1 - propensity).prod()
        found = estimate(Log(is_inspected, propensity, is_hit, revenue), chosen, expected, 0.95)
        for method, figure in total:
            total[method, figure] += chance * getattr(getattr(found, method), figure).value
    for method in ("ipw", "dr"):
        assert total[method, "precision"] == pytest.approx((chosen * is_hit).sum() / chosen.sum(), abs=1e-9)
        assert total[method, "revenue"] == pytest.approx((chosen * revenue).sum(), rel=1e-9, abs=1e-6)


@given(logs(), st.data())
@untimed
def test_every_interval_is_one_and_within_what_is_possible(problem, data):
    is_hit, revenue, propensity, chosen, expected = problem
    is_inspected = data.draw(arrays.arrays(bool, len(is_hit)))
    found = estimate(Log(is_inspected, propensity, is_hit, revenue), chosen, expected, 0.95)
    for by in (found.naive, found.ipw, found.snipw, found.dr):
        for figure in ("precision", "recall", "revenue", "revenue_share"):
            one = getattr(by, figure)
            if one.value is None:
                assert one.reason
                continue
            assert 0 <= one.low <= one.high * (1 + 1e-9) + 1e-9
            assert figure == "revenue" or one.high <= 1
    assert found.effective_rows <= is_inspected.sum() * (1 + 1e-9)


@given(logs(), st.data())
@untimed
def test_outcomes_of_rows_that_were_not_inspected_change_nothing(problem, data):
    is_hit, revenue, propensity, chosen, expected = problem
    is_inspected = data.draw(arrays.arrays(bool, len(is_hit)))
    one = estimate(Log(is_inspected, propensity, is_hit, revenue), chosen, expected, 0.95)
    unknown = Log(is_inspected, propensity, is_hit ^ ~is_inspected, np.where(is_inspected, revenue, np.nan))
    assert estimate(unknown, chosen, expected, 0.95) == one
