"""Whether arriving data can be true, row by row and batch by batch, and the page that says so.

Not here: what happens to what cannot (ingestion).
"""

from features.validation.limits import Limits
from features.validation.rows import check_batch, judge, validate
from features.validation.verdicts import BATCH, FAILURES, PLACE, Verdict

__all__ = [
    "BATCH",
    "FAILURES",
    "PLACE",
    "Limits",
    "Verdict",
    "amounts",
    "arrival",
    "at_once",
    "check_batch",
    "judge",
    "page",
    "validate",
    "verdicts",
]
