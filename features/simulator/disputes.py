"""Disputes about what was found: mistakes that are forgiven, wrong accusations, and appeals.

Inspectors correct some mistakes without a penalty, which is then no infringement, though the duty is recovered. They
also accuse some who did nothing wrong, and more often those whom a rule had made suspect. Who appeals waits for months;
until the decision customs knows nothing but its own finding.
"""

from dataclasses import replace

import numpy as np

from features.simulator.days import SECONDS
from features.simulator.draws import exp_on_grid
from features.simulator.inspection import STANDS, Results
from features.simulator.schemes import HONEST_MISTAKE, NONE, Declared

_FORGIVEN = 0.4
_ACCUSED, _ACCUSED_BY_RULE = 0.006, 0.025  # the share of those in order, and what a rule of probability 1 adds
_LEAST_CHARGED, _MOST_CHARGED = 0.05, 0.3  # of the duty, from those who are accused wrongly
# The share who appeal, and the share of them who win, by whether they did anything wrong.
_APPEALS, _WINS = {False: 0.55, True: 0.07}, {False: 0.85, True: 0.2}
_LOG_DAYS, _SPREAD_DAYS, _MOST_DAYS = np.log(95.0), 0.5, 400.0


def settled(rng: np.random.Generator, declared: Declared, results: Results) -> Results:
    """Return the results as inspectors put them down, and when an appeal overturns them."""
    n = len(results.position)
    scheme = declared.scheme[results.position]
    due = (declared.value * declared.rate_pct / 100)[results.position]
    forgiven = results.is_illicit & (scheme == HONEST_MISTAKE) & (rng.random(n) < _FORGIVEN)
    wrong = rng.random(n) < _ACCUSED + _ACCUSED_BY_RULE * results.probability
    wrong &= scheme == NONE
    charged = np.round(due * (_LEAST_CHARGED + (_MOST_CHARGED - _LEAST_CHARGED) * rng.random(n)), 2)
    is_illicit = (results.is_illicit & ~forgiven) | wrong

    appeals = rng.random(n) < np.where(wrong, _APPEALS[False], _APPEALS[True])
    wins = rng.random(n) < np.where(wrong, _WINS[False], _WINS[True])
    days = np.minimum(exp_on_grid(_LOG_DAYS + _SPREAD_DAYS * rng.standard_normal(n)), _MOST_DAYS)
    decided = results.known + np.ceil(days).astype(np.int64) * SECONDS
    return replace(
        results,
        is_illicit=is_illicit,
        recovered=np.where(wrong, charged, results.recovered),
        overturned=np.where(is_illicit & ~results.is_critical & appeals & wins, decided, STANDS),
    )
