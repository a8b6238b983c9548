"""Whether nights happen and say something: missed ones are caught up, silent runs ended, and people are told.

Not here: the nights' flows.
"""

__all__ = ["forwarding", "nights", "runs", "telling", "unjudged", "watch"]
