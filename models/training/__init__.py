"""From labelled rows to a model: windows, split, tuning, fitting.

Not here: the trained model (risk), and whether it is good enough (evaluation).
"""
