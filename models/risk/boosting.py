"""LightGBM, set up so that the same rows and parameters give the same trees to the last bit.

Sums of gradients depend on how rows are shared among threads. So the number of threads is fixed here, whatever the
machine has. Histograms are built row-wise; LightGBM would otherwise choose by timing both ways.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from features.arrays import Floats, Ints
from features.progress import Progress
from models.risk.encoder import Encoder, Matrix
from models.risk.forest import Forest
from models.risk.missed import MissedLoss

Parameters = dict[str, float | int]
Objective = dict[str, Any] | MissedLoss
Machines = dict[str, str | int]  # LightGBM's parameters for one worker among several; empty for a single one
Result = TypeVar("Result")

THREADS = 2
FEW_ROWS = 100  # with fewer, waking a second thread takes longer than the rows do
MANY_ROWS = 10_000  # from so many rows on, a forest saves more time than reading its trees takes
_PREDICT_ROWS = 100_000

# Settings around these were tried on two held-out quarters of public declarations. Average precision moved by less than
# 0.004 and no setting was best in both, so these are among the fastest: small trees, each on half of the features. That
# is enough, because most features are windows of the same histories and can replace one another.
PARAMETERS: Parameters = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "lambda_l2": 5.0,
    "cat_smooth": 20.0,
    "min_data_per_group": 50,
}

_FIXED: dict[str, Any] = {
    "bagging_freq": 1,
    "max_bin": 127,
    "cat_l2": 20.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": THREADS,
    "verbosity": -1,
}

ILLICIT: dict[str, Any] = {"objective": "binary"}
# Between Poisson and gamma: recovered amounts have a heavy tail, and now and then a hit recovers nothing.
REVENUE: dict[str, Any] = {"objective": "tweedie", "tweedie_variance_power": 1.5}


def illicit(target: Floats, detects: float | None) -> Objective:
    """Return the objective of the illicit head, which allows for what was missed if detection is given."""
    return ILLICIT if detects is None else MissedLoss.of(target, detects)


@dataclass(frozen=True)
class Rows:
    """Encoded features and the target of each row. Rows that are only learned from may be an `Encoder.table`.

    `offset` holds the raw scores that the trees start from, if they do not start from the average. Predictions leave it
    out.
    """

    matrix: Matrix | pa.Table
    target: Floats
    offset: Floats | None = None

    def share(self, number: int, of: int) -> "Rows":
        """Return every `of`-th row, from row `number` on."""
        place = np.arange(number, len(self.target), of)
        matrix = self.matrix.take(place) if isinstance(self.matrix, pa.Table) else self.matrix[place]
        return Rows(matrix, self.target[place], None if self.offset is None else self.offset[place])


class Grow(Protocol):
    """Who grows the trees: it calls `fit` with the rows, or has several workers call it with shares of them."""

    def __call__(self, fit: Callable[..., Result], rows: Rows, on_round: Progress | None) -> Result: ...


def alone(fit: Callable[..., Result], rows: Rows, on_round: Progress | None) -> Result:
    """Grow the trees in this process, on all of the rows."""
    return fit(rows=rows, on_round=on_round)


@dataclass(frozen=True)
class Fit:
    """A booster that predicts with its best round, and the loss after each round on both parts."""

    booster: lgb.Booster
    curve: dict[str, list[float]]

    @property
    def rounds(self) -> int:
        """Return the best round, counted from 1."""
        return self.booster.best_iteration

    @property
    def loss(self) -> float:
        """Return the loss on the validation part at the best round."""
        return self.curve["validation"][self.rounds - 1]


def fit_until_best(
    objective: Objective,
    parameters: Parameters,
    seed: int,
    encoder: Encoder,
    rows: Rows,
    validation: Rows,
    max_rounds: int,
    patience: int,
    on_round: Progress | None = None,
    network: Machines | None = None,
) -> Fit:
    """Boost until `patience` rounds brought no improvement on `validation`, which all workers of a network share."""
    rows, validation = _begun(objective, rows), _begun(objective, validation)
    train_set = _dataset(encoder, rows)
    history: dict[str, dict[str, list[float]]] = {}
    callbacks = [lgb.early_stopping(patience, verbose=False), lgb.record_evaluation(history), *_reporting(on_round)]
    booster = lgb.train(
        _all_parameters(objective, parameters, seed) | (network or {}),
        train_set,
        num_boost_round=max_rounds,
        valid_sets=[
            train_set,
            train_set.create_valid(validation.matrix, validation.target, init_score=validation.offset),
        ],
        valid_names=["training", "validation"],
        feval=objective.metric if isinstance(objective, MissedLoss) else None,
        callbacks=callbacks,
    )
    # Each part has one metric, that of the objective.
    return Fit(_finished(objective, booster), {part: next(iter(metrics.values())) for part, metrics in history.items()})


def fit_rounds(
    objective: Objective,
    parameters: Parameters,
    seed: int,
    encoder: Encoder,
    rows: Rows,
    rounds: int,
    on_round: Progress | None = None,
    network: Machines | None = None,
) -> lgb.Booster:
    """Return a booster of exactly `rounds` rounds."""
    booster = lgb.train(
        _all_parameters(objective, parameters, seed) | (network or {}),
        _dataset(encoder, _begun(objective, rows)),
        num_boost_round=rounds,
        callbacks=_reporting(on_round),
    )
    return _finished(objective, booster)


def predict(booster: lgb.Booster, matrix: Matrix) -> Floats:
    """Return one value a row, on the objective's own scale."""
    forest = _forest(booster) if len(matrix) >= MANY_ROWS else None
    if forest is not None:
        return forest(matrix, THREADS)
    return _by_lightgbm(booster, matrix)


@lru_cache(maxsize=8)  # one for each head in use; a booster's trees do not change once it is trained
def _forest(booster: lgb.Booster) -> Forest | None:
    return Forest.of(booster)


def contributions(booster: lgb.Booster, matrix: Matrix) -> Floats:
    """Return rows x (features + 1): what each feature adds to the raw score, and the average raw score last."""
    if not len(matrix):  # LightGBM divides by the number of rows
        return np.empty((0, booster.num_feature() + 1))
    return _by_lightgbm(booster, matrix, pred_contrib=True)


def leaves(booster: lgb.Booster, matrix: Matrix) -> Ints:
    """Return rows x trees: the number of the leaf that each tree sends a row to."""
    if not len(matrix):  # LightGBM divides by the number of rows
        return np.empty((0, booster.num_trees()), np.int64)
    return _by_lightgbm(booster, matrix, pred_leaf=True).astype(np.int64).reshape(len(matrix), -1)


def _by_lightgbm(booster: lgb.Booster, matrix: Matrix, **what: bool) -> Floats:
    # LightGBM copies the rows that it predicts; working in parts keeps the copy small.
    threads = 1 if len(matrix) < FEW_ROWS else THREADS
    starts = range(0, max(len(matrix), 1), _PREDICT_ROWS)
    parts = [booster.predict(matrix[start : start + _PREDICT_ROWS], num_threads=threads, **what) for start in starts]
    return np.concatenate(cast(list[Floats], parts))


def _all_parameters(objective: Objective, parameters: Parameters, seed: int) -> dict[str, Any]:
    own = {"objective": objective, "metric": "None"} if isinstance(objective, MissedLoss) else objective
    return {**_FIXED, **parameters, **own, "seed": seed}


def _begun(objective: Objective, rows: Rows) -> Rows:
    """Return rows from which the trees of an objective start; LightGBM starts its own objectives from the average."""
    if not isinstance(objective, MissedLoss):
        return rows
    return replace(rows, offset=np.full(len(rows.target), objective.start))


def _finished(objective: Objective, booster: lgb.Booster) -> lgb.Booster:
    return objective.finished(booster) if isinstance(objective, MissedLoss) else booster


def _dataset(encoder: Encoder, rows: Rows) -> lgb.Dataset:
    return lgb.Dataset(
        rows.matrix,
        rows.target,
        init_score=rows.offset,
        feature_name=list(encoder.names),
        categorical_feature=encoder.categorical,
        params={"max_bin": _FIXED["max_bin"], "num_threads": THREADS, "verbosity": -1},
        free_raw_data=True,
    )


def _reporting(on_round: Progress | None) -> list[Callable[[lgb.callback.CallbackEnv], None]]:
    if on_round is None:
        return []
    return [lambda env: on_round(env.iteration + 1, env.end_iteration)]
