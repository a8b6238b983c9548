"""Whether nights happen and say something: missed ones are caught up, silent runs ended, unjudged nights counted.

Not here: the nights' flows.
"""

__all__ = ["nights", "unjudged", "watch"]
