"""From raw scores to probabilities that mean what they say: none, Platt or isotonic, whichever holds up on unseen rows.

Cross-fitting chooses among the three: the calibration rows are cut into consecutive blocks of time, each block is
calibrated by a curve fitted on the others, and the curve with the lowest Brier score on rows it has not seen wins.
Judged on its own rows, isotonic would always win, because it can follow every one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from features.arrays import Floats

Kind = Literal["none", "platt", "isotonic"]

KINDS: tuple[Kind, ...] = ("none", "platt", "isotonic")  # plainest first: of two equally good ones, the plainer wins
MIN_PER_CLASS = 20  # of hits and of other rows: with fewer, a curve follows chance
BLOCKS = 5
# Isotonic maps whole ranges of raw scores to one value, and a selection ranks within them. This share of the raw score
# is blended in: it moves no probability by more than itself and keeps every order that double precision can hold.
RAW_SHARE = 1e-4
_EDGE = 1e-12  # raw scores of exactly 0 or 1 have no finite logit


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing curve from raw probability to calibrated probability.

    platt: `expit(slope * logit(raw) + intercept)`, held as x=(slope, intercept). isotonic: straight lines between the
    points (x, y), blended with `RAW_SHARE` of the raw score. `judged`: Brier score and log loss of each candidate on
    rows it was not fitted on.
    """

    kind: Kind
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    judged: tuple[tuple[Kind, float, float], ...] = ()

    def __call__(self, raw: Floats) -> Floats:
        """Return calibrated probabilities, in [0, 1]."""
        if self.kind == "platt":
            slope, intercept = self.x
            return expit(slope * _logit(raw) + intercept)
        if self.kind == "isotonic":
            return (1 - RAW_SHARE) * np.interp(raw, self.x, self.y) + RAW_SHARE * raw
        return raw

    def as_json(self) -> dict[str, Any]:
        """Return plain values for model.json."""
        judged = {kind: {"brier": brier, "log_loss": log_loss} for kind, brier, log_loss in self.judged}
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y), "judged": judged}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Calibration":
        """Return the calibration that `as_json` wrote."""
        judged = tuple((kind, one["brier"], one["log_loss"]) for kind, one in values["judged"].items())
        return cls(values["kind"], tuple(values["x"]), tuple(values["y"]), judged)


def calibrate(raw: Floats, is_hit: NDArray[np.bool_]) -> Calibration:
    """Return the curve that holds up best for raw probabilities `raw`, rows in order of time.

    >>> calibrate(np.array([0.2, 1.5]), np.array([False, True]))
    Traceback (most recent call last):
    ...
    ValueError: raw score 1.5 at row 1 is no probability; allowed: 0 to 1
    """
    wrong = np.flatnonzero(~((raw >= 0) & (raw <= 1)))
    if wrong.size:
        raise ValueError(f"raw score {raw[wrong[0]]} at row {wrong[0]} is no probability; allowed: 0 to 1")
    if min(is_hit.sum(), (~is_hit).sum()) < MIN_PER_CLASS:
        return Calibration("none")
    judged = tuple((kind, *_judge(_cross_fitted(kind, raw, is_hit), is_hit)) for kind in KINDS)
    best = min(judged, key=lambda one: one[1])[0]
    fitted = fit(best, raw, is_hit)
    return Calibration(fitted.kind, fitted.x, fitted.y, judged)


def fit(kind: Kind, raw: Floats, is_hit: NDArray[np.bool_]) -> Calibration:
    """Return the curve of one kind through all the rows given."""
    if kind == "platt":
        return Calibration("platt", _platt(raw, is_hit))
    if kind == "isotonic":
        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(raw, is_hit)
        return Calibration("isotonic", _floats(curve.X_thresholds_), _floats(curve.y_thresholds_))
    return Calibration("none")


def _platt(raw: Floats, is_hit: NDArray[np.bool_]) -> tuple[float, float]:
    # Platt's targets are a little short of 0 and 1; otherwise perfectly separated rows would need an infinite slope.
    hits, others = int(is_hit.sum()), int((~is_hit).sum())
    target = np.where(is_hit, (hits + 1) / (hits + 2), 1 / (others + 2))
    score = _logit(raw)

    def loss(line: Floats) -> tuple[float, Floats]:
        margin = line[0] * score + line[1]
        excess = expit(margin) - target
        return float((np.logaddexp(0, margin) - target * margin).mean()), np.array(
            [(excess * score).mean(), excess.mean()]
        )

    # The slope stays positive, because a calibration must never reverse a ranking.
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=((1e-3, None), (None, None)))
    return float(found.x[0]), float(found.x[1])


def _cross_fitted(kind: Kind, raw: Floats, is_hit: NDArray[np.bool_]) -> Floats:
    """Return each row's score, calibrated by a curve that was fitted on the other blocks."""
    out = np.empty(len(raw))
    for block in np.array_split(np.arange(len(raw)), BLOCKS):
        others = np.ones(len(raw), np.bool_)
        others[block] = False
        out[block] = fit(kind, raw[others], is_hit[others])(raw[block])
    return out


def _judge(score: Floats, is_hit: NDArray[np.bool_]) -> tuple[float, float]:
    """Return Brier score and log loss."""
    safe = np.clip(score, 1e-6, 1 - 1e-6)
    log_loss = -np.where(is_hit, np.log(safe), np.log1p(-safe)).mean()
    return float(((score - is_hit) ** 2).mean()), float(log_loss)


def _logit(raw: Floats) -> Floats:
    return logit(np.clip(raw, _EDGE, 1 - _EDGE))


def _floats(values: Sequence[float] | Floats) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
