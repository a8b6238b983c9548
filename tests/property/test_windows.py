"""The kernels against brute force, on spans of any kind: overlapping, empty, of entities that nobody asks about."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.windows import MAX_DAY, Days, Facts, Queries, last_visible_day, order_statistics, window_sums

codes = st.integers(-1, 3)
some_days = st.integers(0, 30)
values = st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.0, 7.0, np.nan])


def _array(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, np.int64)


@st.composite
def pasts(draw: st.DrawFn) -> tuple[Facts, np.ndarray, Queries, np.ndarray]:
    facts = draw(st.lists(st.tuples(codes, some_days, some_days | st.just(MAX_DAY), values), max_size=25))
    asked = draw(st.lists(st.tuples(codes, some_days, values), max_size=12))
    entity, enter, leave, value = zip(*facts, strict=True) if facts else ((), (), (), ())
    who, day, at = zip(*asked, strict=True) if asked else ((), (), ())
    return (
        Facts(_array(entity), Days(_array(enter)), Days(_array(leave))),
        np.array(value, float),
        Queries(_array(who), Days(_array(day))),
        np.array(at, float),
    )


def _visible(facts: Facts, queries: Queries, q: int) -> np.ndarray:
    who, day = queries.entity[q], queries.day.of[q]
    return np.flatnonzero((facts.entity == who) & (who >= 0) & (facts.enter.of <= day) & (day < facts.leave.of))


@given(past=pasts(), seed=st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_sums(past: tuple, seed: int) -> None:
    facts, value, queries, _ = past
    # Near the limit of int64, so that a running sum wraps and must come back.
    measures = np.random.default_rng(seed).integers(-(2**61), 2**61, (len(value), 2))
    sums = window_sums(facts, measures, queries)
    for q in range(len(queries.entity)):
        with np.errstate(over="ignore"):
            assert (sums[q] == measures[_visible(facts, queries, q)].sum(axis=0)).all()


@given(past=pasts())
@settings(max_examples=200, deadline=None)
def test_last_visible_day(past: tuple) -> None:
    facts, _, queries, _ = past
    last = last_visible_day(facts, facts.enter.of - 1, queries)
    for q in range(len(queries.entity)):
        seen = _visible(facts, queries, q)
        assert last[q] == (facts.enter.of[seen] - 1).max(initial=-1)


@given(past=pasts())
@settings(max_examples=300, deadline=None)
def test_order_statistics(past: tuple) -> None:
    facts, value, queries, at = past
    statistics = order_statistics(facts, value, queries, at)
    for q in range(len(queries.entity)):
        seen = np.sort(value[_visible(facts, queries, q)])
        seen = seen[~np.isnan(seen)]
        count, below, low, median, high = statistics[q]
        assert count == len(seen)
        if not len(seen):
            assert np.isnan([below, low, median, high]).all()
            continue
        assert [low, high] == list(np.quantile(seen, [0.25, 0.75], method="lower"))
        assert median == np.median(seen)
        if np.isnan(at[q]):
            assert np.isnan(below)
        else:
            assert below == pytest.approx(((seen < at[q]).sum() + 0.5 * (seen == at[q]).sum()) / len(seen))
