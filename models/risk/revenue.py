"""What a hit brings in: expected recovered revenue given that the item is illicit.

It is learned from hits alone. The start is a line through the duty at stake, because every amount grows with it, in
whatever currency: `rate` times the duty, plus a floor for goods that declare no duty at all. Where enough hits have an
amount, trees multiply that start up or down. How much was recorded decides the basis:
- "boosted": enough hits with an amount; trees with a Tweedie loss, whose totals stay right under a heavy tail.
- "line": some hits with an amount; the start alone.
- "stake": no amounts at all; the duty at stake itself, which is then the only figure there is.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import polars as pl

from features.arrays import Floats
from features.matrix import feature_of
from models.risk import boosting
from models.risk.boosting import Parameters, Rows
from models.risk.encoder import Encoder, Matrix

Basis = Literal["boosted", "line", "stake"]

STAKE = feature_of(("item_value",), "duty").name
MIN_HITS_TO_BOOST = 200
MIN_HITS_TO_JUDGE = 30  # on the validation part, to tell when to stop
PRIOR_HITS = 20  # the correction is drawn to 1 as if that many average hits had been predicted exactly
COVERAGE = 0.9  # the share of hits that lie within the bounds of their revenue
MOST = 1e15  # the largest ratio there can be: the contract allows no larger amount
FLOOR_SHARE = 0.01  # share of the mean recovery from which goods without any duty at stake start
# At most a fifth of the rows are hits, so leaves may hold fewer rows than those of the illicit head.
PARAMETERS: Parameters = {**boosting.PARAMETERS, "min_data_in_leaf": 20}


@dataclass(frozen=True)
class RevenueModel:
    """Expected revenue of a hit: `factor * (rate * duty_at_stake + floor)`, times what the trees say if there are any.

    `floor` is in the currency of training; `rate` and `factor` are numbers. `low` and `high` bound what a hit brought
    in over what was expected of it: nine in ten of the validation part's hits lay between them.
    """

    basis: Basis
    rate: float
    floor: float
    factor: float = 1.0
    low: float = 1.0
    high: float = 1.0
    booster: lgb.Booster | None = None

    def __call__(self, frame: pl.DataFrame, matrix: Matrix) -> Floats:
        """Return one amount a row, never negative; `matrix` is `frame`, encoded."""
        start = self.factor * self.start(frame)
        return start if self.booster is None else start * boosting.predict(self.booster, matrix)

    def bounds(self, expected: Floats) -> tuple[Floats, Floats]:
        """Return the lower and upper bounds of what hits bring in, given the amounts `expected` of them."""
        return self.low * expected, self.high * expected

    def start(self, frame: pl.DataFrame) -> Floats:
        """Return the line through the duty at stake."""
        return self.rate * stake(frame) + self.floor

    def as_json(self) -> dict[str, Any]:
        """Return plain values for model.json; the trees are in a file of their own."""
        names = ("basis", "rate", "floor", "factor", "low", "high")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Hits:
    """The hits among some labelled rows whose amount is known. Where no amount is above 0: all hits, and no amounts."""

    frame: pl.DataFrame
    amount: Floats | None

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Hits":
        """Return the hits among `rows`; ValueError for an amount that is negative or not finite."""
        hits = rows.filter("is_illicit")
        known = hits.filter(pl.col("recovered_revenue").is_not_null())
        amount = known["recovered_revenue"].cast(pl.Float64).to_numpy()
        wrong = np.flatnonzero(~(np.isfinite(amount) & (amount >= 0)))
        if wrong.size:
            row = known.row(int(wrong[0]), named=True)
            raise ValueError(
                f"declaration {row['declaration_id']!r}, item {row['item_number']}: recovered_revenue is "
                f"{row['recovered_revenue']}; allowed: a finite amount of at least 0, or null where unknown"
            )
        return cls(known, amount) if amount.any() else cls(hits, None)

    @property
    def value(self) -> Floats:
        """Return what each hit was worth: the amount recovered, or the duty at stake where no amount is known."""
        return stake(self.frame) if self.amount is None else self.amount


def fit(
    encoder: Encoder, hits: Hits, validation: Hits, seed: int, max_rounds: int, patience: int
) -> tuple[RevenueModel, int]:
    """Return the model of `hits` that does best on `validation`, and its rounds (0 where no trees were grown)."""
    line = _line(hits)
    rows, judge = _rows(encoder, line, hits), _rows(encoder, line, validation)
    if rows is None or judge is None or len(rows.target) < MIN_HITS_TO_BOOST or len(judge.target) < MIN_HITS_TO_JUDGE:
        return line, 0
    best = boosting.fit_until_best(boosting.REVENUE, PARAMETERS, seed, encoder, rows, judge, max_rounds, patience)
    return replace(line, basis="boosted", booster=best.booster), best.rounds


def refit(encoder: Encoder, hits: Hits, seed: int, rounds: int, judged: RevenueModel) -> RevenueModel:
    """Return the same kind of model with `rounds` rounds on all `hits`; correction and bounds are those of `judged`."""
    line = replace(_line(hits), factor=judged.factor, low=judged.low, high=judged.high)
    rows = _rows(encoder, line, hits)
    if rows is None or not rounds:
        return line
    booster = boosting.fit_rounds(boosting.REVENUE, PARAMETERS, seed, encoder, rows, rounds)
    return replace(line, basis="boosted", booster=booster)


def correction(expected: Floats, validation: Hits) -> float:
    """Return the factor that brings the total of `expected` (all validation rows) to what their hits brought in.

    It is drawn towards 1 where the validation hits are few: one large recovery among five says little about the next
    quarter.
    """
    if validation.amount is None:
        return 1.0
    prior = PRIOR_HITS * float(validation.amount.mean())
    return float((validation.amount.sum() + prior) / (expected.sum() + prior))


def bounded(model: RevenueModel, validation: Hits, matrix: Matrix) -> RevenueModel:
    """Return `model` with bounds that `COVERAGE` of the validation hits keep; `matrix` is those hits, encoded.

    The method is that of Lei et al., "Distribution-free predictive inference for regression" (2018), applied to the
    ratio, because the spread of amounts grows with them. With too few hits for the coverage, the bounds bound nothing.
    """
    if validation.amount is None:
        return model
    ratio = np.sort(validation.amount / np.maximum(model(validation.frame, matrix), np.finfo(float).tiny))
    beyond = math.floor((len(ratio) + 1) * (1 - COVERAGE) / 2)
    if not beyond:
        return replace(model, low=0.0, high=MOST)
    return replace(model, low=float(ratio[beyond - 1]), high=float(ratio[-beyond]))


def stake(frame: pl.DataFrame) -> Floats:
    """Return the duty at stake of each row, 0 where unknown."""
    if STAKE not in frame.columns:
        raise ValueError(f"column {STAKE!r} is not in the frame; the value of a hit is estimated from it")
    known = frame[STAKE].cast(pl.Float64).to_numpy()
    return np.where(np.isnan(known), 0.0, known)


def _line(hits: Hits) -> RevenueModel:
    """Return the line whose total over `hits` is what they brought in."""
    if hits.amount is None:
        return RevenueModel("stake", rate=1.0, floor=0.0)
    at_stake, mean = float(stake(hits.frame).sum()), float(hits.amount.mean())
    if at_stake <= 0:
        return RevenueModel("line", rate=0.0, floor=mean)
    return RevenueModel("line", (1 - FLOOR_SHARE) * float(hits.amount.sum()) / at_stake, FLOOR_SHARE * mean)


def _rows(encoder: Encoder, line: RevenueModel, hits: Hits) -> Rows | None:
    """Return hits as the trees learn from them: amounts in units of their mean, log of the start as offset."""
    if hits.amount is None:
        return None
    unit = hits.amount.mean()
    return Rows(encoder.encode(hits.frame), hits.amount / unit, np.log(line.start(hits.frame) / unit))
