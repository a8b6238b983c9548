"""What a model would have brought in on past days: back-tests, and rehearsals on a world whose truth is known.

Not here: metrics (metrics).
"""
