"""Metrics, compared with scikit-learn and with enumeration, including ties and weights."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from models.metrics.ranking import Measures, Ranking, Sample, Scores, average_precision, chance_in_top, roc_auc
from tests.support.examples import examples

SHARES = (0.05, 0.1, 0.2, 0.5)
untimed = settings(deadline=None)  # whichever test is first compiles the pass over the rows


@st.composite
def problems(draw, most=40):
    size = draw(st.integers(2, most))
    is_hit = draw(arrays.arrays(bool, size))
    is_hit[:2] = [True, False]
    # Few distinct scores, so that ties are the rule.
    score = draw(arrays.arrays(np.int64, size, elements=st.integers(0, 6))) / 6
    money = draw(arrays.arrays(np.int64, size, elements=st.integers(0, 1000))).astype(float)
    counts = draw(arrays.arrays(np.int64, size, elements=st.integers(0, 3))).astype(float)
    counts[:2] = 1
    return Sample(is_hit, np.where(is_hit, money, 0.0)), score, counts


@given(problems())
@untimed
def test_weighted_ranking_metrics_equal_scikit_learns(problem):
    sample, score, counts = problem
    curve = Ranking(sample, score).curve(counts[None, :])
    assert roc_auc(curve)[0] == pytest.approx(roc_auc_score(sample.is_hit, score, sample_weight=counts))
    expected = average_precision_score(sample.is_hit, score, sample_weight=counts)
    assert average_precision(curve)[0] == pytest.approx(expected)
    brier = Measures(sample, Scores(score))(counts[None, :])[0, 2]
    assert brier == pytest.approx(brier_score_loss(sample.is_hit, score, sample_weight=counts))


@given(problems())
@untimed
def test_counts_mean_repeated_rows(problem):
    sample, score, counts = problem
    measures = Measures(sample, Scores(score, -score), SHARES)
    times = counts.astype(int)
    repeated = Sample(np.repeat(sample.is_hit, times), np.repeat(sample.revenue, times))
    again = Measures(repeated, Scores(np.repeat(score, times), -np.repeat(score, times)), SHARES)
    kept = [i for i, name in enumerate(measures.names) if name != "expected_calibration_error"]  # its bins stay
    np.testing.assert_allclose(measures(counts[None, :])[0, kept], again(repeated.ones)[0, kept], rtol=1e-9)


@given(problems(most=6), st.sampled_from(SHARES))
@settings(untimed, max_examples=examples(40))
def test_ties_count_as_expected_over_random_order(problem, share):
    sample, score, _ = problem
    size = len(score)
    budget = max(1, int(share * size + 0.5))
    chosen = [sorted(order, key=lambda row: -score[row])[:budget] for order in permutations(range(size))]
    rows, hits, revenue = Ranking(sample, score).curve(sample.ones).at(share)
    assert rows[0] == budget
    assert hits[0] == pytest.approx(np.mean([sample.is_hit[best].sum() for best in chosen]))
    assert revenue[0] == pytest.approx(np.mean([sample.revenue[best].sum() for best in chosen]))
    often = np.bincount(np.concatenate(chosen), minlength=size) / len(chosen)
    np.testing.assert_allclose(chance_in_top(score, share), often)


@given(problems(), st.randoms(use_true_random=False))
@untimed
def test_the_order_of_rows_does_not_matter(problem, random):
    sample, score, _ = problem
    order = list(range(len(score)))
    random.shuffle(order)
    shuffled = Sample(sample.is_hit[order], sample.revenue[order])
    one = Measures(sample, Scores(score), SHARES)(sample.ones)
    other = Measures(shuffled, Scores(score[order]), SHARES)(sample.ones)
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
