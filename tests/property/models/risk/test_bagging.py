"""A bag says the mean of what its members say: scores, contributions, and the forest kernel to the last bit."""

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.risk import bagging
from models.risk.forest import Forest
from tests.property.models.risk.test_forest import booster, matrix
from tests.support.examples import examples


def near(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def raw(of: lgb.Booster, rows: np.ndarray) -> np.ndarray:
    return np.asarray(of.predict(rows, raw_score=True))


@settings(max_examples=examples(15), deadline=None)
@given(
    seeds=st.lists(st.integers(0, 10_000), min_size=1, max_size=5),
    leaves=st.sampled_from([2, 7, 17]),
    has_splits=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_it_is_the_mean_of_its_members(seeds: list[int], leaves: int, has_splits: list[bool]):
    needed = [2 if splits else 400 for splits in has_splits]  # of 500 rows: with 400, there is no split
    members = [booster(seed, leaves, min_data_in_leaf=rows) for seed, rows in zip(seeds, needed, strict=False)]
    bag, rows = bagging.mean(members), matrix(np.random.default_rng(sum(seeds)), 300, categories=70)
    near(raw(bag, rows), np.mean([raw(member, rows) for member in members], axis=0))
    shares = [np.asarray(each.predict(rows, pred_contrib=True)) for each in (bag, *members)]
    near(shares[0], np.mean(shares[1:], axis=0))
    np.testing.assert_allclose(shares[0].sum(axis=1), raw(bag, rows), atol=1e-12)
    forest = Forest.of(bag)
    assert forest is not None
    assert np.array_equal(forest.raw(rows, 2), raw(bag, rows))


def test_of_the_same_one_again_and_again_it_is_that_one():
    member, rows = booster(1, 7), matrix(np.random.default_rng(2), 300)
    near(raw(bagging.mean([member] * 3), rows), raw(member, rows))
    assert bagging.mean([member]).model_to_string() == member.model_to_string()


def test_trees_beyond_a_members_best_round_are_left_out():
    members, rows = [booster(seed, 7) for seed in (1, 2)], matrix(np.random.default_rng(3), 300)
    members[0].best_iteration = 5
    bag = bagging.mean(members)
    assert bag.num_trees() == 5 + 12
    near(raw(bag, rows), np.mean([raw(member, rows) for member in members], axis=0))


def test_read_and_written_again_it_is_the_same():
    text = bagging.mean([booster(seed, 7) for seed in (1, 2, 3)]).model_to_string()
    assert lgb.Booster(model_str=text).model_to_string() == text


def test_of_nothing_there_is_none():
    with pytest.raises(ValueError, match="a bag of 0 boosters; allowed: 1 or more"):
        bagging.mean([])
