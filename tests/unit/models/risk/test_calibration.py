import json

import numpy as np
import pytest
from scipy.special import expit, logit

from models.risk.calibration import MIN_PER_CLASS, RAW_SHARE, Calibration, calibrate, fit

RANDOM = np.random.default_rng(3)


def drawn(true_of_raw, rows=20_000):
    raw = RANDOM.uniform(0.01, 0.99, rows)
    return raw, RANDOM.random(rows) < true_of_raw(raw)


def test_scores_that_are_right_are_left_nearly_as_they_are():
    raw, is_hit = drawn(lambda raw: raw)
    assert np.abs(calibrate(raw, is_hit)(raw) - raw).max() < 0.05


def test_a_sigmoid_distortion_is_undone():
    raw, is_hit = drawn(lambda raw: expit(0.5 * logit(raw) - 1))
    grid = np.linspace(0.05, 0.95, 19)
    assert np.abs(fit("platt", raw, is_hit)(grid) - expit(0.5 * logit(grid) - 1)).max() < 0.02


def test_a_step_is_left_to_isotonic():
    raw, is_hit = drawn(lambda raw: np.where(raw > 0.5, 0.7, 0.1))
    assert calibrate(raw, is_hit).kind == "isotonic"


def test_the_choice_is_judged_on_rows_it_was_not_fitted_on():
    raw, is_hit = drawn(lambda raw: raw, rows=300)
    judged = {kind: brier for kind, brier, _ in calibrate(raw, is_hit).judged}
    own = np.mean((fit("isotonic", raw, is_hit)(raw) - is_hit) ** 2)
    assert own < judged["none"]  # on its own rows it looks better than the truth
    assert judged["isotonic"] > own


def test_isotonic_keeps_the_order_within_its_steps():
    raw = np.sort(RANDOM.uniform(0, 1, 5000))
    score = fit("isotonic", raw, RANDOM.random(5000) < 0.3)(raw)
    assert (np.diff(score) > 0).all()
    assert (score >= 0).all()
    assert (score <= 1).all()


def test_the_raw_share_moves_no_score_by_more_than_itself():
    raw, is_hit = drawn(lambda raw: raw, rows=500)
    curve = fit("isotonic", raw, is_hit)
    assert np.abs(curve(raw) - np.interp(raw, curve.x, curve.y)).max() <= RAW_SHARE


def test_too_few_hits_leave_the_raw_score():
    raw = np.linspace(0, 1, 1000)
    assert calibrate(raw, np.arange(1000) >= 1000 - MIN_PER_CLASS + 1).kind == "none"


def test_hits_all_in_one_block_of_time_are_no_trouble():
    raw = RANDOM.uniform(0, 1, 1000)
    curve = calibrate(raw, np.arange(1000) < MIN_PER_CLASS)
    assert np.isfinite(curve(raw)).all()


@pytest.mark.parametrize("kind", ["none", "platt", "isotonic"])
def test_json_round_trip(kind):
    raw, is_hit = drawn(lambda raw: raw, rows=300)
    curve = fit(kind, raw, is_hit)
    again = Calibration.from_json(json.loads(json.dumps(curve.as_json())))
    assert again == curve
    assert np.array_equal(again(raw), curve(raw))


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="raw score nan at row 1"):
        calibrate(np.array([0.5, np.nan]), np.array([True, False]))
