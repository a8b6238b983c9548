"""A model on rows it has not seen: figures, slices, baselines, gates, burden, and their plots.

Not here: single metrics (metrics).
"""
