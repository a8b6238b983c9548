"""How good a ranking is, with intervals; what it would have brought in; and what may be expected of it.

Not here: on which rows (evaluation).
"""

from models.metrics.bootstrap import Estimate
from models.metrics.ranking import Measures, Sample, Scores

__all__ = [
    "Estimate",
    "Measures",
    "Sample",
    "Scores",
    "bootstrap",
    "cbpe",
    "off_policy",
    "ranking",
]
