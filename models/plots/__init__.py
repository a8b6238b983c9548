"""The pictures of an evaluation and of its burden, as PNG files in one style; other rooms draw theirs in it too.

Not here: what they show (metrics, evaluation, burden).
"""

__all__ = ["burden_plots", "plots"]
