import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.policy import Exploration
from models.targeting.exploration import BLIND_SHARE, STRATEGIES, Familiarity, Share, inclusion, weights

untimed = settings(deadline=None)
shares = st.floats(0, 1)
gains = st.floats(0, 1e12)


def floats(size, low, high):
    return arrays.arrays(np.float64, size, elements=st.floats(low, high))


@st.composite
def candidates(draw_value):
    size = draw_value(st.integers(1, 30))
    revenue = draw_value(arrays.arrays(np.float64, size, elements=st.just(0.0) | st.floats(0.01, 1e12)))
    return draw_value(floats(size, 0, 1)), revenue, draw_value(floats(size, 0, 1))


@given(candidates(), st.sampled_from(STRATEGIES))
@untimed
def test_weights_have_mean_one_and_leave_every_row_some_chance(rows, strategy):
    found = weights(strategy, *rows)
    assert found.mean() == pytest.approx(1)
    assert (found >= BLIND_SHARE * (1 - 1e-12)).all()


@given(candidates(), st.sampled_from(STRATEGIES), st.randoms(use_true_random=False))
@untimed
def test_the_order_of_candidates_does_not_matter(rows, strategy, random):
    order = list(range(len(rows[0])))
    random.shuffle(order)
    shuffled = weights(strategy, *(values[order] for values in rows))
    np.testing.assert_allclose(shuffled, weights(strategy, *rows)[order], rtol=1e-9)


@given(
    arrays.arrays(np.int64, (6, 3), elements=st.integers(0, 4)),
    arrays.arrays(np.int64, st.tuples(st.integers(0, 12), st.just(3)), elements=st.integers(0, 4)),
)
@untimed
def test_rarity_equals_counting_row_by_row(leaves, inspected):
    expected = [np.mean([(1 + (inspected[:, tree] == row[tree]).sum()) ** -0.5 for tree in range(3)]) for row in leaves]
    familiarity = Familiarity.of(inspected)
    found = familiarity.rarity(leaves)
    assert found == pytest.approx(expected)
    assert [familiarity.rarity(row[None])[0] for row in leaves] == found.tolist()


@given(floats(st.integers(1, 40), 0, 1e6), st.floats(0, 50))
@untimed
def test_inclusion_is_proportional_below_one_and_fills_the_places(heavy, places):
    chances = inclusion(heavy, places)
    assert (chances >= 0).all()
    assert (chances <= 1).all()
    assert (chances[heavy == 0] == 0).all()
    assert chances.sum() == pytest.approx(min(places, (heavy > 0).sum()), rel=1e-9)
    below = chances < 1
    np.testing.assert_allclose(
        np.outer(chances[below], heavy[below]), np.outer(heavy[below], chances[below]), rtol=1e-9, atol=1e-300
    )
    # Nothing is certain that need not be: the least of the certain would reach 1 at the others' rate too.
    if below.any() and not below.all():
        heaviest = np.argmax(np.where(below, heavy, -1))
        assert heavy[~below].min() * chances[heaviest] >= heavy[heaviest] * (1 - 1e-9)


@given(shares, gains, gains, shares, st.floats(1e-3, 1e3))
@untimed
def test_a_share_stays_in_bounds_and_gains_have_no_scale(value, explored, exploited, drift, scale):
    exploration = Exploration(strategy="gate", initial_share=0.1, min_share=0.02, max_share=0.3, learning_rate=0.5)
    after = Share(value).updated(exploration, explored, exploited, drift).value
    assert 0.02 <= after <= 0.3
    assert Share(value).updated(exploration, explored + 1, exploited, drift).value >= after - 1e-12
    if min(explored, exploited) > 1e-9:
        rescaled = Share(value).updated(exploration, scale * explored, scale * exploited, drift).value
        assert rescaled == pytest.approx(after)
