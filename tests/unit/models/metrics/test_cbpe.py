import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from models.metrics.cbpe import ExpectedPerformance, expected_performance, misses

SHARES = (0.05, 0.1)


def scores(rows, seed=1):
    generator = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(2 - 1.5 * generator.normal(size=rows)))
    return np.round(score, 2), generator  # rounded, so that there are ties


def test_calibrated_scores_promise_what_labels_bring_on_average():
    score, generator = scores(400)
    promised = expected_performance(score, SHARES, 200, 0.95, seed=1).figures
    labels = generator.random((1500, 400)) < score
    assert promised["roc_auc"].value == pytest.approx(np.mean([roc_auc_score(y, score) for y in labels]), abs=0.001)
    by_scikit_learn = [average_precision_score(y, score) for y in labels]
    assert promised["average_precision"].value == pytest.approx(np.mean(by_scikit_learn), abs=0.003)
    best = np.sort(score)[::-1]
    for share, rows in ((0.05, 20), (0.1, 40)):
        assert promised[f"precision_at_{100 * share:g}pct_by_score"].value == pytest.approx(best[:rows].mean())
        recall = promised[f"recall_at_{100 * share:g}pct_by_score"].value
        assert recall == pytest.approx(best[:rows].sum() / score.sum())
    assert promised["base_rate"].value == pytest.approx(score.mean())


def test_labels_that_keep_the_promise_fall_within_its_interval_as_often_as_said():
    score, generator = scores(500)
    promised = expected_performance(score, SHARES, 400, 0.9, seed=1)
    kept = [
        [miss.is_within for miss in misses(promised, score, generator.random(500) < score).values()] for _ in range(400)
    ]
    assert (np.mean(kept, axis=0) > 0.85).all()
    assert (np.mean(kept, axis=0) < 0.97).all()


def test_scores_that_promise_too_much_are_found_out():
    score, generator = scores(3000)
    found = misses(expected_performance(score, SHARES, 200, 0.95, seed=1), score, generator.random(3000) < score / 2)
    for name in ("base_rate", "precision_at_5pct_by_score"):
        assert not found[name].is_within
        assert found[name].error == pytest.approx(found[name].measured - found[name].expected)
        assert found[name].error < 0


def test_measured_figures_equal_scikit_learns():
    score, generator = scores(300)
    is_hit = generator.random(300) < score
    found = misses(expected_performance(score, (), 100, 0.95, seed=1), score, is_hit)
    assert found["roc_auc"].measured == pytest.approx(roc_auc_score(is_hit, score))
    assert found["average_precision"].measured == pytest.approx(average_precision_score(is_hit, score))


def test_the_same_seed_promises_the_same():
    score, _ = scores(2000)
    first, again, other = (expected_performance(score, SHARES, 300, 0.95, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert ExpectedPerformance.model_validate_json(first.model_dump_json()) == first


def test_a_promise_of_nothing_says_so():
    no_hits = expected_performance(np.zeros(5), SHARES, 100, 0.95, seed=1).figures
    assert no_hits["roc_auc"].reason == "no pair of a hit and another row is expected"
    assert no_hits["precision_at_5pct_by_score"].value == 0
    assert {one.reason for one in expected_performance(np.zeros(0), SHARES, 100, 0.95, 1).figures.values()} == {
        "no rows"
    }
    found = misses(expected_performance(np.zeros(5), (), 100, 0.95, 1), np.zeros(5), np.zeros(5, bool))
    assert found["roc_auc"].model_dump() == {"expected": None, "measured": None, "error": None, "is_within": None}


def test_scores_out_of_range_or_of_other_rows_are_refused():
    with pytest.raises(ValueError, match=r"score is 1\.2 at row 0; allowed: 0 to 1"):
        expected_performance(np.array([1.2]), SHARES, 100, 0.95, seed=1)
    promised = expected_performance(np.array([0.2, 0.4]), SHARES, 100, 0.95, seed=1)
    with pytest.raises(ValueError, match="score has 1 rows; allowed: 2, as many as were expected"):
        misses(promised, np.array([0.2]), np.array([True]))
