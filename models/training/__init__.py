"""From labelled rows to a model: windows, split, tuning, fitting.

Not here: the trained model (risk), and whether it is good enough (evaluation).
"""

from models.training.days import Dataset
from models.training.fitting import train
from models.training.splits import Split
from models.training.tuning import Found

__all__ = [
    "Dataset",
    "Found",
    "Split",
    "days",
    "splits",
    "train",
    "tuning",
]
