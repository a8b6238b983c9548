"""P(critical): goods that endanger safety, health or security. A third objective that money must never outvote.

Critical goods are few and mostly illicit in other ways too, so their probability is learned by trees of its own and
bounded by P(illicit). Where too few have been found to learn from, the share of critical ones among all hits stands in.
"""

from dataclasses import dataclass
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import polars as pl

from features.arrays import Floats
from models.risk import boosting
from models.risk.boosting import Parameters, Rows
from models.risk.calibration import Calibration, calibrate
from models.risk.encoder import Encoder, Matrix

Basis = Literal["boosted", "share"]

MIN_FOUND_TO_BOOST = 50
MIN_FOUND_TO_JUDGE = 10  # on the validation part, to tell when to stop
# At most one row in a hundred is critical, and a leaf that needed 40 of them would never form.
PARAMETERS: Parameters = {**boosting.PARAMETERS, "min_data_in_leaf": 10}


NOT_CALIBRATED = Calibration("none")


@dataclass(frozen=True)
class CriticalModel:
    """P(critical) of a row: from trees but never above its P(illicit), or else `share` times its P(illicit)."""

    basis: Basis
    share: float
    calibration: Calibration = NOT_CALIBRATED
    booster: lgb.Booster | None = None

    def __call__(self, score: Floats, matrix: Matrix) -> Floats:
        """Return one probability a row; `score` is P(illicit), `matrix` the encoded rows."""
        if self.booster is None:
            return self.share * score
        return np.minimum(score, self.calibration(boosting.predict(self.booster, matrix)))

    def as_json(self) -> dict[str, Any]:
        """Return plain values for model.json; the trees are in a file of their own."""
        return {"basis": self.basis, "share": self.share, "calibration": self.calibration.as_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any], booster: lgb.Booster | None) -> "CriticalModel":
        """Return the model that `as_json` described, with its trees."""
        return cls(values["basis"], values["share"], Calibration.from_json(values["calibration"]), booster)


def rows_of(frame: pl.DataFrame, matrix: Matrix) -> Rows:
    """Return labelled rows as the trees learn from them; a hit not known to be critical counts as not critical."""
    return Rows(matrix, _is_critical(frame).astype(np.float64))


def fit(
    encoder: Encoder, rows: Rows, validation: Rows, is_hit: Floats, seed: int, max_rounds: int, patience: int
) -> tuple[CriticalModel, int]:
    """Return the model of `rows` that does best on `validation`, and its rounds (0 where no trees were grown).

    `is_hit` marks the illicit ones of `rows`.
    """
    share = CriticalModel("share", _share(rows.target, is_hit))
    if rows.target.sum() < MIN_FOUND_TO_BOOST or validation.target.sum() < MIN_FOUND_TO_JUDGE:
        return share, 0
    best = boosting.fit_until_best(boosting.ILLICIT, PARAMETERS, seed, encoder, rows, validation, max_rounds, patience)
    raw = boosting.predict(best.booster, validation.matrix)
    curve = calibrate(raw, validation.target > 0)
    return CriticalModel("boosted", share.share, curve, best.booster), best.rounds


def refit(
    encoder: Encoder, rows: Rows, is_hit: Floats, seed: int, rounds: int, calibration: Calibration
) -> CriticalModel:
    """Return the same kind of model with `rounds` rounds on all `rows`."""
    share = _share(rows.target, is_hit)
    if not rounds:
        return CriticalModel("share", share)
    booster = boosting.fit_rounds(boosting.ILLICIT, PARAMETERS, seed, encoder, rows, rounds)
    return CriticalModel("boosted", share, calibration, booster)


def _share(is_critical: Floats, is_hit: Floats) -> float:
    return float(is_critical.sum() / is_hit.sum())


def _is_critical(frame: pl.DataFrame) -> np.ndarray:
    return frame.select(pl.col("is_illicit") & pl.col("is_critical").fill_null(value=False)).to_series().to_numpy()
