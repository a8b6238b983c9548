"""Whether today is still like the days that the model learned from.

Not here: when this is looked at, and who is told (flows).
"""

from models.monitoring.drift_result import DriftResult, Quality

__all__ = ["DriftResult", "Quality", "drift"]
