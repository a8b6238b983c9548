"""The feature matrix: all families side by side, kept by day under the digest of the code that computed it.

Not here: single families (families).
"""

from features.matrix.matrix import CATALOGUE, DESCRIBED, compute, feature_of, with_labels
from features.matrix.morning import Morning

__all__ = [
    "CATALOGUE",
    "DESCRIBED",
    "Morning",
    "cache",
    "compute",
    "feature_of",
    "with_labels",
]
