import lightgbm as lgb
import numpy as np
import pytest

from models.policy import load
from models.targeting.exploration import BLIND_SHARE, STRATEGIES, Familiarity, Share, inclusion, weights

EXPLORATION = load().exploration
FIVE = np.linspace(0.1, 0.9, 5)


def relative(strategy, score, revenue, rare):
    """Weights without the blind part, which is the same for all."""
    return weights(strategy, np.array(score), np.array(revenue), np.array(rare)) - BLIND_SHARE


def test_badge_is_the_expected_squared_gradient_times_the_squared_rarity():
    found = relative("badge", [0.5, 0.1, 0.5], [1.0, 900.0, 1.0], [0.2, 0.2, 0.6])
    assert found / found[0] == pytest.approx([1, 0.09 / 0.25, 9])


def test_bate_adds_the_logarithm_of_the_benefit():
    found = relative("bate", [0.5, 0.5, 0.5], [0.0, 100.0, 5000.0], [0.2, 0.2, 0.2])
    unit = 2550  # the median of those above 0
    assert found / found[0] == pytest.approx(np.log([2, 2 + 100 / unit, 2 + 5000 / unit]) / np.log(2))


def test_the_currency_does_not_matter():
    revenue = np.array([1.0, 20.0, 300.0, 0.0, 7.0])
    for strategy in STRATEGIES:
        np.testing.assert_allclose(
            weights(strategy, FIVE, revenue, FIVE), weights(strategy, FIVE, 1300 * revenue, FIVE), rtol=1e-12
        )


def test_the_gate_asks_for_the_score_of_familiar_rows_and_not_of_strange_ones():
    rare = np.repeat([0.02, 0.9], 50)
    score = np.tile(np.linspace(0.01, 0.5, 50), 2)
    found = weights("gate", score, np.ones(100), rare)
    familiar, strange = found[:50] - BLIND_SHARE, found[50:] - BLIND_SHARE
    assert familiar[-1] / familiar[0] > 2 * strange[-1] / strange[0]
    assert strange.min() > 100 * familiar.max()


def test_the_gate_lies_between_bate_and_chance():
    score, revenue = np.array([0.02, 0.5]), np.array([10.0, 10.0])
    rare = np.array([0.3, 0.3])
    half_open = relative("gate", score, revenue, rare)
    by_bate = relative("bate", score, revenue, rare)
    assert half_open / half_open.sum() == pytest.approx((by_bate / by_bate[1] + 1) / (by_bate / by_bate[1] + 1).sum())


def test_where_the_gate_is_half_open_half_of_the_weight_follows_the_benefit():
    benefit = np.log([2 + 1 / 2, 2 + 3 / 2])  # the median of 10 and 30 is 20
    benefit /= benefit.mean()
    found = relative("gate", [0.5, 0.25], [10.0, 30.0], [0.3, 0.3])
    expected = 0.5 * np.array([1.0, 0.75]) * benefit + 0.5
    assert found / found[0] == pytest.approx(expected / expected[0])


def test_a_row_that_looks_sure_and_familiar_keeps_its_chance():
    score, rare = np.array([0.0, *FIVE]), np.array([0.0, *FIVE])
    for strategy in STRATEGIES:
        found = weights(strategy, score, np.ones(6), rare)
        assert found[0] == pytest.approx(BLIND_SHARE)
        assert found.mean() == pytest.approx(1)


def test_where_nothing_would_teach_all_rows_are_alike():
    assert weights("bate", np.array([0.0, 1.0]), np.zeros(2), np.ones(2)).tolist() == [1, 1]
    assert weights("gate", np.zeros(0), np.zeros(0), np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("score", "revenue", "rare", "message"),
    [
        ([0.5, 1.2], [1, 1], [1, 1], "score is 1.2 at row 1; allowed: 0 to 1"),
        ([0.5, 0.2], [1, -1], [1, 1], "revenue_if_illicit is -1.0 at row 1; allowed: a finite number from 0"),
        ([0.5, 0.2], [1, 1], [np.nan, 1], "rarity is nan at row 0; allowed: 0 to 1"),
        ([0.5, 0.2], [1], [1, 1], r"revenue_if_illicit has shape \(1,\); allowed: \(2,\), one a row"),
    ],
)
def test_bad_values_are_refused(score, revenue, rare, message):
    with pytest.raises(ValueError, match=message):
        weights("badge", *(np.array(values, float) for values in (score, revenue, rare)))


def test_what_is_too_small_to_be_divided_teaches_nothing():
    none = np.zeros(3)
    assert weights("badge", np.array([0.0, 5e-324, 5e-324]), none, np.ones(3)).tolist() == [1, 1, 1]


def test_rarity_counts_the_inspected_rows_of_each_leaf():
    inspected = np.array([[0, 1]] * 3 + [[2, 1]] * 5)
    found = Familiarity.of(inspected).rarity(np.array([[0, 1], [2, 1], [1, 0], [9, 9]]))
    assert found == pytest.approx([(1 / 2 + 1 / 3) / 2, (1 / np.sqrt(6) + 1 / 3) / 2, 1, 1])


def test_with_nothing_inspected_everything_is_rare():
    assert Familiarity.of(np.zeros((0, 2), np.int64)).rarity(np.array([[0, 1], [3, 2]])).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("candidates", "inspected", "message"),
    [
        ([[0, 1]], [[0]], r"shape \(1, 2\), and 1 trees were counted; allowed: rows x trees, with the same trees"),
        ([[0, -1]], [[0, 1]], "leaves_of_candidates holds -1; allowed: leaf numbers from 0"),
        ([[]], [[]], r"leaves_of_inspected has shape \(1, 0\); allowed: rows x trees, with at least one tree"),
    ],
)
def test_leaves_of_another_shape_are_refused(candidates, inspected, message):
    with pytest.raises(ValueError, match=message):
        Familiarity.of(np.array(inspected, np.int64)).rarity(np.array(candidates, np.int64))


def world(rows, scheme, seed):
    """Declarations of which fraud by under-valuation is known, and a `scheme` share of fraud that was never seen."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, 6))
    is_hit = generator.random(rows) < 1 / (1 + np.exp(3 + 2 * features[:, 0]))
    is_new = generator.random(rows) < scheme
    features[is_new, 1:3] = generator.normal(2.2, 0.3, (is_new.sum(), 2))
    features[is_new, 0] = generator.normal(1.0, 0.3, is_new.sum())
    return features, is_hit | is_new, is_new


def test_leaves_of_a_real_booster_lead_the_gate_to_a_scheme_that_scores_low():
    features, is_hit, _ = world(12_000, 0.0, seed=1)
    inspected = (features[:, 0] < -1.2) | (np.random.default_rng(2).random(12_000) < 0.02)
    booster = lgb.train(
        {"objective": "binary", "num_leaves": 15, "num_threads": 1, "verbosity": -1, "seed": 1},
        lgb.Dataset(features[inspected], is_hit[inspected].astype(float)),
        60,
    )
    today, _, is_new = world(4000, 0.01, seed=3)
    score = booster.predict(today)
    assert score[is_new].mean() < score.mean() / 2
    familiarity = Familiarity.of(booster.predict(features[inspected], pred_leaf=True))
    rare = familiarity.rarity(booster.predict(today, pred_leaf=True))
    chances = {name: inclusion(weights(name, score, np.ones(4000), rare), 80) for name in STRATEGIES}
    assert rare[is_new].mean() > 1.1 * rare.mean()
    blindly = 80 / 4000
    assert chances["badge"][is_new].mean() < blindly < chances["gate"][is_new].mean() / 1.3
    assert chances["badge"][is_new].min() > BLIND_SHARE * blindly


def test_inclusion_caps_again_until_nothing_exceeds_one():
    # 3 x 10 / 17.5 > 1; of the 2 places left 2 x 4 / 7.5 > 1 too.
    found = inclusion(np.array([10.0, 4.0, 2.0, 1.0, 0.5]), 3)
    assert found == pytest.approx([1, 1, 2 / 3.5, 1 / 3.5, 0.5 / 3.5])


def test_places_may_be_a_fraction_none_or_more_than_there_are_rows():
    some = np.array([1.0, 3.0, 0.0])
    assert inclusion(some, 0.4) == pytest.approx([0.1, 0.3, 0])
    assert inclusion(some, 0).tolist() == [0, 0, 0]
    assert inclusion(some, 2.5).tolist() == [1, 1, 0]
    assert inclusion(np.zeros(0), 3).shape == (0,)
    with pytest.raises(ValueError, match="places is -1; allowed: a finite number from 0"):
        inclusion(some, -1)


def test_without_drift_the_share_follows_the_gains():
    share = Share(0.1)
    assert share.updated(EXPLORATION, 0.2, 0.2, 0).value == pytest.approx(0.1)
    assert share.updated(EXPLORATION, 0.3, 0.2, 0).value > 0.1 > share.updated(EXPLORATION, 0.1, 0.2, 0).value
    odds = share.updated(EXPLORATION, 0.1, 0.2, 0).value
    assert odds / (1 - odds) == pytest.approx(0.1 / 0.9 * np.exp(-EXPLORATION.learning_rate / 2))
    assert share.updated(EXPLORATION, 0, 0, 0).value == pytest.approx(0.1)


def settled(drift, gain_explored=0.1, gain_exploited=0.5):
    share = Share(EXPLORATION.initial_share)
    for _ in range(60):
        share = share.updated(EXPLORATION, gain_explored, gain_exploited, drift)
    return share.value


def test_drift_keeps_exploring_alive_though_it_brings_in_less():
    assert settled(0.0) == EXPLORATION.min_share
    assert EXPLORATION.min_share < settled(0.05) < settled(0.1) < settled(0.2) < EXPLORATION.max_share
    assert settled(1.0) == EXPLORATION.max_share


def test_a_share_comes_back_from_either_bound():
    assert Share(EXPLORATION.min_share).updated(EXPLORATION, 0.0, 0.5, 0.3).value > 5 * EXPLORATION.min_share
    assert settled(0.0, gain_explored=0.5, gain_exploited=0.1) == EXPLORATION.max_share
    assert Share(0.0).updated(EXPLORATION, 0.0, 0.5, 0.0).value == EXPLORATION.min_share


def test_a_gain_that_is_no_amount_is_refused():
    with pytest.raises(ValueError, match="gain_explored is nan; allowed: a finite amount from 0"):
        Share(0.1).updated(EXPLORATION, np.nan, 0.5, 0)
    for drift in (1.5, -0.5):
        with pytest.raises(ValueError, match=f"drift is {drift}; allowed: 0 to 1"):
            Share(0.1).updated(EXPLORATION, 0.1, 0.5, drift)
    with pytest.raises(ValueError, match=r"value is -0\.1; allowed: a share from 0 to 1"):
        Share(-0.1)
