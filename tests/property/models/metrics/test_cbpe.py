"""What scores promise, compared with enumerating all labels."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score

from models.metrics.cbpe import expected_performance
from tests.support.examples import examples


@given(arrays.arrays(np.float64, st.integers(2, 7), elements=st.floats(0.05, 0.95)))
@settings(deadline=None, max_examples=examples(25))
def test_promises_are_ratios_of_expectations_over_every_label(score):
    score = np.round(score, 1).clip(0.1, 0.9)  # ties are the rule
    rows = len(score)
    pairs = ranked = precisions = hits = 0.0
    for case in product((0, 1), repeat=rows):
        labels = np.array(case)
        chance = np.where(labels == 1, score, 1 - score).prod()
        above = np.sign(score[:, None] - score[None, :]) / 2 + 0.5
        is_pair = np.outer(labels, 1 - labels)
        pairs += chance * is_pair.sum()
        ranked += chance * (is_pair * above).sum()
        hits += chance * labels.sum()
        if labels.any():
            precisions += chance * labels.sum() * average_precision_score(labels, score)
    found = expected_performance(score, (0.5,), 100, 0.95, seed=1).figures
    assert found["roc_auc"].value == pytest.approx(ranked / pairs)
    assert found["average_precision"].value == pytest.approx(precisions / hits)
    best = np.sort(score)[::-1][: int(0.5 * rows + 0.5)]
    assert found["precision_at_50pct_by_score"].value == pytest.approx(best.mean())
