"""A loss that knows that inspections miss some of what is illicit.

An item is illicit with probability p = expit(raw), and then an inspection finds it with probability d, so a hit is seen
with probability d p. This is the log loss of d p. It does not take what was not found for licit: the likelier an item
is, the less such a label weighs. Trees learn p, and the calibration leads back to what would be found.
"""

import math
from dataclasses import dataclass
from typing import Self

import lightgbm as lgb
import numpy as np
from scipy.special import expit

from features.arrays import Floats

# Illicit, where nothing is found (as LightGBM has it), and where more is found than such a detection allows.
_LEAST, _MOST = 1e-15, 0.99
# What LightGBM writes of its own objective whose predictions are expit(raw), and the line before which it does.
_LINK, _BEFORE = "objective=binary sigmoid:1", "feature_names="


@dataclass(frozen=True)
class MissedLoss:
    """The loss at detection `detects`, for LightGBM. `start` is the raw score from which all trees start."""

    detects: float
    start: float

    @classmethod
    def of(cls, target: Floats, detects: float) -> Self:
        """Return the loss for targets of 0 and 1, started from their average; ValueError for no such detection.

        >>> MissedLoss.of(np.array([1.0, 0.0, 0.0, 0.0]), detects=0.5)
        MissedLoss(detects=0.5, start=0.0)
        >>> MissedLoss.of(np.array([1.0, 0.0]), detects=0.0)
        Traceback (most recent call last):
        ...
        ValueError: detects is 0.0; allowed: above 0, up to 1
        """
        if not 0 < detects <= 1:
            raise ValueError(f"detects is {detects}; allowed: above 0, up to 1")
        illicit = min(max(float(target.mean()) / detects, _LEAST), _MOST)
        return cls(detects, math.log(illicit / (1 - illicit)))

    def __call__(self, raw: Floats, rows: lgb.Dataset) -> tuple[Floats, Floats]:
        """Return the gradient of each row's loss by its raw score, and the curvature.

        What was not found is illicit all the same with probability `hidden`, and the gradient is that of the log loss
        whose target this is. So is the curvature, as in expectation-maximisation: the loss's own is at most that, and
        below 0 where an item is likely illicit, where a Newton step would lead away.
        """
        p, is_hit = expit(raw), _targets(rows) > 0
        hidden = p * (1 - self.detects) / (1 - self.detects * p)
        return p - np.where(is_hit, 1.0, hidden), p * (1 - p)

    def loss(self, raw: Floats, target: Floats) -> float:
        """Return the mean loss: the log loss of what would be found, d p."""
        found = self.detects * expit(raw)
        return float(-np.where(target > 0, np.log(found), np.log1p(-found)).mean())

    def metric(self, raw: Floats, rows: lgb.Dataset) -> tuple[str, float, bool]:
        """Return the mean loss as LightGBM takes a metric, of which less is better."""
        return "missed", self.loss(raw, _targets(rows)), False

    def finished(self, booster: lgb.Booster) -> lgb.Booster:
        """Return the trained trees so that they predict p wherever they are loaded.

        LightGBM leaves out the start and the link of an objective that is not its own. So the start is added to the
        first tree, as LightGBM does with its own, and the link is named in the text.
        """
        best = booster.best_iteration
        trees = lgb.Booster(model_str=booster.model_to_string())
        for leaf in range(int(trees.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"])):
            trees.set_leaf_output(0, leaf, trees.get_leaf_output(0, leaf) + self.start)
        text = trees.model_to_string().replace(f"\n{_BEFORE}", f"\n{_LINK}\n{_BEFORE}", 1)
        finished = lgb.Booster(model_str=text)
        finished.best_iteration = best
        return finished


def _targets(rows: lgb.Dataset) -> Floats:
    return np.asarray(rows.get_label(), np.float64)
