import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from models.evaluation import baselines
from tests.support.scored import FEATURES, rows

TRAIN, TEST = rows(1500, seed=1), rows(600, seed=2)


def test_each_baseline_gives_a_probability_a_row_and_weighs_it_by_the_duty():
    found = baselines.score(TRAIN, TEST, FEATURES)
    assert list(found) == ["random", "risk_profile", "logistic"]
    duty = TEST["duty_at_stake"].cast(pl.Float64).to_numpy()
    for scores in found.values():
        assert scores.score.shape == (600,)
        assert ((scores.score >= 0) & (scores.score <= 1)).all()
        np.testing.assert_array_equal(scores.priority, scores.score * duty)


def test_they_are_as_good_as_they_should_be():
    found = baselines.score(TRAIN, TEST, FEATURES)
    is_hit = TEST["is_illicit"].to_numpy()
    assert (found["random"].score == TRAIN["is_illicit"].mean()).all()
    # The importers' rate is the true risk, blurred.
    assert roc_auc_score(is_hit, found["risk_profile"].score) > 0.65
    assert roc_auc_score(is_hit, found["logistic"].score) > 0.65
    assert found["logistic"].score.mean() == pytest.approx(is_hit.mean(), abs=0.06)


def test_the_same_rows_give_the_same_scores():
    one, other = (baselines.score(TRAIN, TEST, FEATURES)["logistic"].score for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_unknown_values_new_codes_and_crowded_codes_do_no_harm():
    train = TRAIN.with_columns(
        pl.lit(None, pl.Float32).alias("hs6_hit_rate_365d"),
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise("item_value").alias("item_value"),
        pl.format("{}", pl.int_range(pl.len())).alias("hs6"),
    )
    test = TEST.with_columns(pl.lit("99").alias("office"), pl.lit(None, pl.String).alias("tax_type"))
    assert np.isfinite(baselines.score(train, test, FEATURES)["logistic"].score).all()


def test_no_test_rows_give_no_scores():
    assert [len(s.score) for s in baselines.score(TRAIN, TEST.clear(), FEATURES).values()] == [0, 0, 0]


def test_training_rows_without_hits_are_refused():
    with pytest.raises(ValueError, match="0 hits in 1500 training rows; baselines need hits and other rows"):
        baselines.score(TRAIN.with_columns(is_illicit=pl.lit(value=False)), TEST, FEATURES)
