"""What a model would have brought in on past days: back-tests, and rehearsals on a world whose truth is known.

Not here: metrics (metrics).
"""

from models.backtesting.backtests import backtest
from models.backtesting.simulations import simulated

__all__ = [
    "answering",
    "backtest",
    "looking",
    "rehearsal_plots",
    "replay",
    "result",
    "side_by_side",
    "simulated",
    "strategies",
]
