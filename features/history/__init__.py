"""All facts before a moment, put in order and summed in advance, in the form in which families ask for them.

Not here: the values of features (families).
"""

from features.history.history import PRIOR_WEIGHT, History, Record
from features.history.preaggregated import Block
from features.history.standing import Standing

__all__ = [
    "PRIOR_WEIGHT",
    "Block",
    "History",
    "Record",
    "Standing",
    "change_index",
    "preaggregated",
]
