"""A model on rows it has not seen: figures, slices, baselines and gates.

Not here: single metrics (metrics), whom inspections fall upon (burden), and pictures (plots).
"""

from models.evaluation.figures import Evaluation
from models.evaluation.gates import Gate

__all__ = ["Evaluation", "Gate", "baselines", "figures", "gates", "repeats", "schemes", "slices"]
