"""How good a ranking is, with intervals; what it would have brought; what it may be expected to bring.

Not here: on which rows (evaluation).
"""
