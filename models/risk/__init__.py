"""The model that predicts, and all that serving loads: encoder, boosted trees, calibration, revenue, critical goods.

Not here: how it is trained (training).
"""

from models.risk.calibration import Calibration, calibrate
from models.risk.critical import CriticalModel
from models.risk.encoder import Encoder, Matrix
from models.risk.revenue import RevenueModel
from models.risk.risk_model import RiskModel
from models.risk.training_record import LearnedPart, LearnedParts, TrainingRecord

__all__ = [
    "Calibration",
    "CriticalModel",
    "Encoder",
    "LearnedPart",
    "LearnedParts",
    "Matrix",
    "RevenueModel",
    "RiskModel",
    "TrainingRecord",
    "boosting",
    "calibrate",
    "critical",
    "feature_code",
    "revenue",
    "risk_model",
]
