import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.risk.calibration import KINDS, calibrate, fit
from tests.support.examples import examples


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 100_000), kind=st.sampled_from(KINDS), rows=st.integers(20, 400), skew=st.floats(0.2, 5))
def test_every_curve_is_strictly_increasing_and_a_probability(seed, kind, rows, skew):
    random = np.random.default_rng(seed)
    raw = random.uniform(0, 1, rows) ** skew
    is_hit = random.random(rows) < random.uniform(0.1, 0.9)
    grid = np.unique(np.concatenate([raw, np.linspace(1e-6, 1 - 1e-6, 200)]))
    grid = grid[np.diff(grid, prepend=-1.0) > 1e-9]
    score = fit(kind, raw, is_hit)(grid)
    assert (np.diff(score) > 0).all()
    assert score.min() >= 0
    assert score.max() <= 1


@settings(max_examples=examples(20), deadline=None)
@given(seed=st.integers(0, 100_000))
def test_the_chosen_curve_is_the_best_of_those_judged(seed):
    random = np.random.default_rng(seed)
    raw = random.uniform(0, 1, 600)
    curve = calibrate(raw, random.random(600) < raw**2)
    assert curve.kind == min(curve.judged, key=lambda one: one[1])[0]
