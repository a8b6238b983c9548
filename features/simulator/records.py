"""What is on record of how inspections were chosen: the chance of the lot, and nothing of the rules' probabilities."""

from dataclasses import replace

import numpy as np

from features.simulator.inspection import RANDOM_PROBABILITY, Results


def kept(results: Results) -> Results:
    """Return the results with the probabilities that anybody wrote down; the others are NaN."""
    return replace(results, probability=np.where(results.is_random, RANDOM_PROBABILITY, np.nan))
