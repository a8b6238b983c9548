"""What the work is done on: the cores of this machine, or a Ray cluster.

Not here: the work.
"""
