import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from models.metrics.ranking import CALIBRATION_BINS, Measures, Sample, Scores, calibration_bins

SHARES = (0.1, 0.5)


def sample(hits, rows=20, revenue=100.0):
    is_hit = np.arange(rows) < hits
    return Sample(is_hit, np.where(is_hit, revenue, 0.0))


def figures(of, score, priority=None):
    measures = Measures(of, Scores(score, priority), SHARES)
    return dict(zip(measures.names, measures(of.ones)[0], strict=True))


def test_calibration_error_equals_scikit_learns_quantile_bins():
    generator = np.random.default_rng(0)
    score = generator.random(1003)
    of = Sample(generator.random(1003) < score**2, np.zeros(1003))
    found, said = calibration_curve(of.is_hit, score, n_bins=CALIBRATION_BINS, strategy="quantile")
    sizes = np.bincount(calibration_bins(score))
    assert len(sizes) == CALIBRATION_BINS
    expected = (np.abs(found - said) * sizes).sum() / 1003
    assert figures(of, score)["expected_calibration_error"] == pytest.approx(expected)


def test_a_constant_score_is_random_choice():
    found = figures(sample(hits=5), np.full(20, 0.25))
    assert found["roc_auc"] == 0.5
    assert found["average_precision"] == found["precision_at_10pct_by_score"] == 0.25
    assert found["lift_at_10pct_by_score"] == 1
    assert found["revenue_at_50pct_by_score"] == found["recall_at_50pct_by_score"] == 0.5
    assert found["expected_calibration_error"] == 0


def test_priority_ranks_apart_from_score():
    of = Sample(np.array([True, True, False, False]), np.array([1.0, 99.0, 0.0, 0.0]))
    found = figures(of, np.array([0.9, 0.8, 0.1, 0.0]), priority=np.array([0.0, 1.0, 0.0, 0.0]))
    assert found["revenue_at_10pct_by_score"] == 0.01
    assert found["revenue_at_10pct_by_priority"] == 0.99


@pytest.mark.parametrize(
    ("of", "name", "reason"),
    [
        (sample(hits=0), "roc_auc", "no hits among 20 rows"),
        (sample(hits=0), "recall_at_10pct_by_score", "no hits among 20 rows"),
        (sample(hits=20), "roc_auc", "all 20 rows are hits"),
        (sample(hits=4, revenue=0.0), "revenue_at_10pct_by_score", "nothing recovered from 4 hits"),
        (sample(hits=0, rows=0), "brier", "no rows"),
    ],
)
def test_an_undefined_figure_is_nan_and_says_why(of, name, reason):
    assert np.isnan(figures(of, np.linspace(0, 1, len(of.is_hit)))[name])
    assert of.why_undefined(name) == reason


def test_all_hits_leave_the_other_figures_defined():
    found = figures(sample(hits=20), np.linspace(0, 1, 20))
    assert found["average_precision"] == found["precision_at_10pct_by_score"] == 1


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (np.linspace(0, 1, 19), r"scores have shape \(19,\); allowed: \(20,\)"),
        (np.append(np.zeros(19), np.nan), "row 19 has no finite score"),
        (np.linspace(0, 1.5, 20), r"scores run from 0.0 to 1.5; a probability lies between 0 and 1"),
    ],
)
def test_bad_scores_are_refused(score, message):
    with pytest.raises(ValueError, match=message):
        Measures(sample(hits=5), Scores(score))


def test_negative_or_missing_revenue_is_refused():
    with pytest.raises(ValueError, match="negative or missing"):
        Sample(np.array([True]), np.array([np.nan]))
    with pytest.raises(ValueError, match="one value a row"):
        Sample(np.array([True, False]), np.array([1.0]))
