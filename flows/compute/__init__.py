"""What the work is done on: the cores of this machine, or a Ray cluster.

Not here: the work.
"""

from flows.compute.engine import ClusterError, Workforce, workforce

__all__ = ["ClusterError", "Workforce", "workforce"]
