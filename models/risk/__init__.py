"""The model that predicts, and all that serving loads: encoder, boosted trees, calibration, revenue, critical goods.

Not here: how it is trained (training).
"""

from models.risk.encoder import Codes, Encoder, Matrix
from models.risk.risk_model import RiskModel

__all__ = [
    "Codes",
    "Encoder",
    "Matrix",
    "RiskModel",
    "bagging",
    "boosting",
    "calibration",
    "critical",
    "revenue",
    "risk_model",
    "training_record",
]
