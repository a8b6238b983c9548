"""What a model would have brought on days gone by: back-tests, rehearsals on a world whose truth is known.

Not here: metrics (metrics).
"""
