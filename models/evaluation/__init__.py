"""A model on rows it has not seen: figures, slices, baselines, gates, burden, and their plots.

Not here: single metrics (metrics).
"""

from models.evaluation.burden import BurdenReport
from models.evaluation.figures import AtShare, Evaluation, Scorer
from models.evaluation.gates import Gate
from models.evaluation.slices import IDENTICAL_EARLIER_ROW, Slice

__all__ = [
    "IDENTICAL_EARLIER_ROW",
    "AtShare",
    "BurdenReport",
    "Evaluation",
    "Gate",
    "Scorer",
    "Slice",
    "baselines",
    "burden",
    "burden_plots",
    "figures",
    "gates",
    "plots",
    "repeats",
    "schemes",
]
