"""What ways to give codes to the trees are worth, on worlds that are simulated for it, or on an ingested source.

    python benchmarks/learning.py            # simulated worlds, every declaration against the truth
    python benchmarks/learning.py kcs        # after `make run SOURCE=kcs INPUT=...`; what was inspected

It prints a Markdown table (comparing.py says how figures are compared). What the folds by time say, which need no truth
and come before the test window, is told beside it: by them a retraining chooses.
"""

from dataclasses import replace

import numpy as np

from benchmarks import comparing
from benchmarks.comparing import Comparison
from benchmarks.worlds import World
from features.matrix.matrix import CATALOGUE
from models.policy import Policy, load
from models.training.tuning import AS_THEY_STAND, CODES, Tuning, search

BEFORE = "categories"
FIGURES = {"average_precision": "average precision", "precision_at_10pct_by_score": "precision at 10 %"}


def codes(policy: Policy) -> Comparison:
    tunings = {name: replace(AS_THEY_STAND, codes=name) for name in CODES}

    def loss(way: str, world: World, seed: int) -> float:
        return fold_loss(tunings[way], world, seed, policy)

    ways = {name: comparing.trees(CATALOGUE, policy, tuning) for name, tuning in tunings.items()}
    return Comparison("learning", ways, BEFORE, FIGURES, beside={"log loss of the folds": loss})


def fold_loss(tuning: Tuning, world: World, seed: int, policy: Policy) -> float:
    """Return the mean log loss of the folds, by which a search with this seed would judge the tuning."""
    training = policy.training.model_copy(update={"seed": seed})
    found = search(world.split.before_test, CATALOGUE, training, 2, policy.features.label_delay_days, tuning)
    return float(np.mean(found.losses[0]))


if __name__ == "__main__":
    comparing.main(__doc__, codes(load()))
