"""The documents of a version as types, the computation of their figures, and the card that is rendered from them.

Not here: digests of them (evidence).
"""

from models.dossier.dossier import CARD, DRIFT, EVALUATION, POLICY, Dossier, Judged
from models.dossier.incumbent import Incumbent

__all__ = ["CARD", "DRIFT", "EVALUATION", "POLICY", "Dossier", "Incumbent", "Judged", "assessment", "committed_code"]
