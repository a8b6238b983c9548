"""Why a declaration scores as it does, in the words of an officer: English, French and Chinese, one TOML file each.

This module exports what others may use. Not here: how contributions are computed (models/risk/boosting.py), what a
score is worth, and reasons for a choice that the score does not explain (a draw, exploration, places that ran out).
"""

from models.reasons.again import said_again
from models.reasons.explain import Reason, group_contributions, reasons, reasons_by_row
from models.reasons.language import LANGUAGES, read

__all__ = [
    "LANGUAGES",
    "Reason",
    "agreement",
    "group_contributions",
    "read",
    "reasons",
    "reasons_by_row",
    "said_again",
]
