"""What a model would have brought in on past days: back-tests, and rehearsals on a world whose truth is known.

Not here: metrics (metrics).
"""

from models.backtesting.backtests import backtest

__all__ = ["backtest", "rehearsal_plots", "replay", "result", "side_by_side", "strategies"]
