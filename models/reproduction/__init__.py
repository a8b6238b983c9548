"""Whether a version's code, libraries and data give the same model again, or the first stage at which they do not.

A stage is compared by two digests: the one that the evidence has, and the one that was found. What could not be tried
is told with its reason, and never counts as the same.

Not here: whether a decision can be made again (window), and what answers for it (trace).
"""

from models.reproduction.reproducing import reproduce
from models.reproduction.scratch import alone
from models.reproduction.stages import NotTried, Purged, Stage

__all__ = ["NotTried", "Purged", "Stage", "alone", "reproduce"]
