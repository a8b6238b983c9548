"""How good a ranking is, with intervals; what it would have brought in; and what may be expected of it.

Not here: on which rows (evaluation).
"""
