"""Forest says what LightGBM says, to the last bit."""

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.risk import boosting
from models.risk.forest import Forest
from tests.support.examples import examples


def booster(seed: int, leaves: int, *, has_nan: bool = True, **more: object) -> lgb.Booster:
    rng = np.random.default_rng(seed)
    rows = matrix(rng, 500, has_nan=has_nan)
    target = rows[:, 0] + rng.normal(size=500) > 0.5
    parameters = {
        "objective": "binary",
        "num_leaves": leaves,
        "min_data_in_leaf": 2,
        "min_data_per_group": 2,
        "cat_smooth": 1.0,
        "max_cat_to_onehot": 2,
        "verbosity": -1,
        "num_threads": 1,
        "seed": seed,
        **more,
    }
    return lgb.train(parameters, lgb.Dataset(rows, target.astype(float), categorical_feature=[2, 3]), 12)


def matrix(rng: np.random.Generator, rows: int, *, has_nan: bool = True, categories: int = 50) -> np.ndarray:
    columns = [rng.normal(size=rows).round(1), rng.integers(-3, 3, rows), *rng.integers(0, categories, (2, rows))]
    made = np.column_stack([*columns, rng.lognormal(5, 3, rows)]).astype(np.float32)
    if has_nan:
        made[rng.random(made.shape) < 0.1] = np.nan
    return made


@settings(max_examples=examples(25), deadline=None)
@given(
    seed=st.integers(0, 10_000),
    leaves=st.sampled_from([2, 7, 16, 17, 40, 64]),
    has_nan=st.booleans(),
    objective=st.sampled_from(["binary", "tweedie"]),
    order=st.sampled_from(["C", "F"]),
    threads=st.integers(1, 3),
)
def test_equals_lightgbm(seed: int, leaves: int, has_nan: bool, objective: str, order: str, threads: int):
    trained = booster(seed, leaves, has_nan=has_nan, objective=objective)
    rng = np.random.default_rng(seed + 1)
    asked = np.asarray(matrix(rng, int(rng.integers(0, 700)), categories=70), order=order)
    # Values that training has not seen, and those that splits are made at.
    odd = rng.choice(np.array([-1, -0.5, 0, 0.5, 49, 50, 1e9, np.inf, -np.inf], np.float32), asked.shape)
    asked = np.where(rng.random(asked.shape) < 0.05, odd, asked)
    forest = Forest.of(trained)
    assert forest is not None
    if len(asked):
        assert np.array_equal(forest.raw(asked, threads), trained.predict(asked, raw_score=True))
        assert np.array_equal(forest(asked, threads), trained.predict(asked))
    else:
        assert len(forest(asked, threads)) == 0


def test_predictions_of_many_rows_are_those_of_few(monkeypatch):
    trained, rows = booster(1, 7), matrix(np.random.default_rng(2), 300)
    few = boosting.predict(trained, rows)
    monkeypatch.setattr(lgb.Booster, "predict", None)
    monkeypatch.setattr(boosting, "MANY_ROWS", 300)
    assert np.array_equal(boosting.predict(trained, rows), few)


def test_of_trees_without_a_split():
    trained = booster(1, 7, min_data_in_leaf=400)
    rows = np.zeros((3, 5), np.float32)
    forest = Forest.of(trained)
    assert forest is not None
    assert np.array_equal(forest(rows, 2), trained.predict(rows))


@pytest.mark.parametrize(
    ("leaves", "more"),
    [
        (100, {}),
        (7, {"zero_as_missing": True}),
        (7, {"linear_tree": True}),
        (7, {"objective": "poisson"}),
        (7, {"sigmoid": 2.0}),
        (7, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
    ],
)
def test_knows_what_it_does_not_know(leaves: int, more: dict[str, object]):
    assert Forest.of(booster(1, leaves, **more)) is None
