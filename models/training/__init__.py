"""From labelled rows to a model: windows, split, tuning, fitting.

Not here: what comes out of it (risk) and whether it is good enough (evaluation).
"""
