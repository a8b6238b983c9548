"""What a model would have brought in on past days: back-tests, and rehearsals on a world whose truth is known.

Not here: metrics (metrics).
"""

from models.backtesting.backtests import backtest
from models.backtesting.strategies import Bacuda, Product, Random, RiskProfile

__all__ = [
    "Bacuda",
    "Product",
    "Random",
    "RiskProfile",
    "backtest",
    "rehearsal_plots",
    "replay",
    "result",
    "side_by_side",
]
