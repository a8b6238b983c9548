"""The kernels against brute force, on spans of any kind: overlapping, empty, and of entities nobody asks about."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.facts.windows import MAX_DAY, Days, Facts, Queries, Standings, last_days, order_statistics, window_sums
from tests.support.examples import examples

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
@settings(max_examples=examples(60), deadline=None)
def test_sums(past: tuple, seed: int) -> None:
    facts, value, queries, _ = past
    # Near the limit of int64, so that a running sum wraps and must come back.
    measures = np.random.default_rng(seed).integers(-(2**61), 2**61, (len(value), 2))
    sums = window_sums(facts, measures, queries)
    for q in range(len(queries.entity)):
        with np.errstate(over="ignore"):
            assert (sums[q] == measures[_visible(facts, queries, q)].sum(axis=0)).all()


@given(past=pasts(), back=st.lists(st.integers(0, 10), min_size=25, max_size=25), seed=st.integers(0, 9))
@settings(max_examples=examples(60), deadline=None)
def test_last_days(past: tuple, back: list[int], seed: int) -> None:
    facts, _, queries, _ = past
    day = facts.enter.of - 1 - _array(back[: len(facts.enter.of)])
    count = np.random.default_rng(seed).integers(-1, 3, len(day))
    last = last_days(facts, day, count, queries, 7)
    for q in range(len(queries.entity)):
        who, today = queries.entity[q], queries.day.of[q]
        entered = (facts.entity == who) & (who >= 0) & (facts.enter.of <= today) & (day >= today - 7)
        totals = {d: count[entered & (day == d)].sum() for d in set(day[entered].tolist())}
        assert last[q] == max((d for d, total in totals.items() if total > 0), default=-1)


@given(past=pasts())
@settings(max_examples=examples(80), deadline=None)
def test_order_statistics(past: tuple) -> None:
    facts, value, queries, at = past
    statistics = order_statistics(facts, value, np.ones(len(value), np.int64), queries, at)
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


@given(past=pasts(), seed=st.integers(0, 9))
@settings(max_examples=examples(60), deadline=None)
def test_what_takes_a_value_back_leaves_the_order_as_if_it_had_never_been(past: tuple, seed: int) -> None:
    facts, value, queries, at = past
    last = facts.enter.of + np.random.default_rng(seed).integers(0, 9, len(value))  # seen until this day
    back = Facts(
        np.concatenate([facts.entity, facts.entity]),
        Days(np.concatenate([facts.enter.of, last + 1])),
        Days(np.concatenate([facts.leave.of, facts.leave.of])),
    )
    count = np.repeat(np.array([1, -1]), len(value))
    got = order_statistics(back, np.concatenate([value, value]), count, queries, at)
    replaced = Facts(facts.entity, facts.enter, Days(np.minimum(facts.leave.of, last + 1)))
    expected = order_statistics(replaced, value, np.ones(len(value), np.int64), queries, at)
    np.testing.assert_array_equal(got, expected)


@given(past=pasts(), day=some_days, seed=st.integers(0, 9))
@settings(max_examples=examples(60), deadline=None)
def test_what_stands_on_one_day_is_what_an_order_of_all_days_says_of_it(past: tuple, day: int, seed: int) -> None:
    facts, value, queries, at = past
    count = np.random.default_rng(seed).integers(0, 3, len(value))
    seen = (facts.entity >= 0) & (facts.enter.of <= day) & (day < facts.leave.of)
    standings = Standings.of(facts.entity[seen], value[seen], count[seen], entities=4)
    on_day = Queries(queries.entity, Days(np.full(len(queries.entity), day)))
    got = standings.order_statistics(queries.entity, at)
    np.testing.assert_array_equal(got, order_statistics(facts, value, count, on_day, at))


def test_the_least_value_of_the_first_entity_can_be_taken_back_too() -> None:
    entity, value, count = _array([0, 0, 0]), np.array([1.0, 1.0, 2.0]), _array([1, -1, 1])
    facts = Facts(entity, Days(_array([1, 1, 1])), Days(_array([9, 9, 9])))
    queries, at = Queries(_array([0]), Days(_array([5]))), np.array([1.0])
    expected = [[1, 0, 2, 2, 2]]
    assert order_statistics(facts, value, count, queries, at).tolist() == expected
    assert Standings.of(entity, value, count, entities=1).order_statistics(queries.entity, at).tolist() == expected
