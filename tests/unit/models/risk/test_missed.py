"""The loss that knows of missed detections: its gradient, its trees as LightGBM's own, and what it learns."""

import lightgbm as lgb
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import expit, logit
from scipy.stats import spearmanr

from models.risk import boosting
from models.risk.forest import Forest
from models.risk.missed import MissedLoss

ROWS = 3000


def given(target):
    return lgb.Dataset(np.zeros((len(target), 1)), target).construct()


@pytest.mark.parametrize("detects", [0.3, 0.65, 1.0])
def test_the_gradient_is_that_of_the_loss(detects):
    raw, target = np.linspace(-4, 4, 18), np.array([1.0, 0.0] * 9)
    loss = MissedLoss(detects, start=0.0)
    gradient, curvature = loss(raw, given(target))
    numeric = approx_fprime(raw, lambda each: loss.loss(each, target) * len(raw), 1e-7)
    assert gradient == pytest.approx(numeric, abs=1e-5)
    # The step is bounded: nowhere is the loss more curved than it is taken to be.
    ends = [loss(raw + step, given(target))[0] for step in (-1e-5, 1e-5)]
    assert (curvature >= (ends[1] - ends[0]) / 2e-5 - 1e-8).all()
    assert (curvature > 0).all()


def test_with_detection_of_all_it_is_the_log_loss():
    raw, target = np.linspace(-3, 3, 10), np.array([1.0, 0.0] * 5)
    gradient, curvature = MissedLoss(1.0, 0.0)(raw, given(target))
    assert gradient == pytest.approx(expit(raw) - target)
    assert curvature == pytest.approx(expit(raw) * (1 - expit(raw)))


def test_more_found_than_detection_allows_starts_from_almost_all():
    assert MissedLoss.of(np.array([1.0, 1.0, 0.0]), 0.5).start == pytest.approx(logit(0.99))


def test_rows_among_which_nothing_was_found_are_learned_from_as_lightgbms_own_objective_learns_from_them(world):
    matrix, illicit, _ = world
    nothing, judged = (boosting.Rows(matrix[:200], target) for target in (np.zeros(200), (illicit[:200] > 0.5) * 1.0))
    losses = [
        boosting.fit_until_best(
            boosting.illicit(nothing.target, detects), boosting.PARAMETERS, 1, Plain(), nothing, judged, 5, 5
        ).loss
        for detects in (None, 1.0)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@pytest.fixture(scope="module")
def world():
    """Rows of which the chance to be illicit is known, and what inspections that find 60 % found."""
    rng = np.random.default_rng(20240505)
    matrix = rng.normal(size=(ROWS, 4)).astype(np.float32)
    illicit = expit(1.5 * matrix[:, 0] + matrix[:, 1] - 0.5)
    found = (rng.random(ROWS) < 0.6 * illicit).astype(float)
    return matrix, illicit, found


class Plain:
    """An encoder of as many numbers."""

    names, categorical = ("a", "b", "c", "d"), ()


def fitted(world, detects, seed=1):
    matrix, _, found = world
    rows, held_out = (boosting.Rows(matrix, found).share(number, 2) for number in (0, 1))
    objective = boosting.illicit(rows.target, detects)
    return boosting.fit_until_best(objective, boosting.PARAMETERS, seed, Plain(), rows, held_out, 200, 20)


def test_it_learns_what_is_illicit_from_what_was_found(world):
    matrix, illicit, found = world
    fit = fitted(world, 0.6)
    predicted = boosting.predict(fit.booster, matrix)
    assert predicted.mean() == pytest.approx(illicit.mean(), abs=0.05)  # which is 0.42, and 0.25 was found
    assert found.mean() == pytest.approx(0.25, abs=0.01)
    assert spearmanr(predicted, illicit)[0] > 0.9
    assert fit.loss == min(fit.curve["validation"])
    loss = MissedLoss(0.6, 0.0).loss(logit(predicted[1::2]), found[1::2])
    assert loss == pytest.approx(fit.loss)  # the trees that are kept are those of the best round


def test_with_detection_of_all_the_trees_are_lightgbms_own(world):
    matrix, _, found = world
    everything = {**boosting.PARAMETERS, "bagging_fraction": 1.0, "feature_fraction": 1.0}  # draws differ
    own, same = (
        boosting.fit_rounds(boosting.illicit(found, detects), everything, 1, Plain(), boosting.Rows(matrix, found), 20)
        for detects in (None, 1.0)
    )
    assert np.array_equal(own.predict(matrix), same.predict(matrix))


def test_its_trees_are_read_everywhere_as_those_of_a_probability(world):
    matrix, *_ = world
    fit = fitted(world, 0.6)
    assert fit.booster.num_trees() == fit.rounds
    text = fit.booster.model_to_string()
    assert text.count("\nobjective=binary sigmoid:1\n") == 1
    loaded = lgb.Booster(model_str=text)
    assert loaded.model_to_string() == text
    raw = loaded.predict(matrix, raw_score=True)
    assert loaded.predict(matrix) == pytest.approx(expit(raw))
    forest = Forest.of(loaded)
    assert forest is not None
    assert np.array_equal(forest(matrix, 2), loaded.predict(matrix))
    shares = boosting.contributions(loaded, matrix)
    assert shares.sum(axis=1) == pytest.approx(raw)
    assert boosting.leaves(loaded, matrix).shape == (ROWS, fit.rounds)


def test_the_same_rows_give_the_same_trees(world):
    first, again = (fitted(world, 0.6).booster.model_to_string() for _ in range(2))
    assert first == again
    assert fitted(world, 0.6, seed=2).booster.model_to_string() != first
    assert fitted(world, 0.61).booster.model_to_string() != first


def test_trees_that_found_nothing_to_split_say_what_is_there(world):
    matrix, _, found = world
    none = {**boosting.PARAMETERS, "min_gain_to_split": 1e9}
    booster = boosting.fit_rounds(boosting.illicit(found, 0.6), none, 1, Plain(), boosting.Rows(matrix, found), 3)
    assert boosting.predict(booster, matrix) == pytest.approx(found.mean() / 0.6, abs=1e-3)


def test_several_workers_start_from_the_same(world):
    """The start is that of all rows, and not of a worker's share."""
    rows = boosting.Rows(world[0], world[2])
    loss = boosting.illicit(rows.target, 0.6)
    assert isinstance(loss, MissedLoss)
    assert loss.start == pytest.approx(logit(world[2].mean() / 0.6))
