"""On what the work is done: the cores of this machine, or a Ray cluster.

Not here: the work.
"""
