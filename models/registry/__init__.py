"""Versions in MLflow: runs, experiments, artifacts, the registered model and how it is served.

Not here: whether a version may be promoted (signoff).
"""

from models.registry.registry import Candidate, Monitored, Registration, Registry

__all__ = ["Candidate", "Monitored", "Registration", "Registry", "serving", "tracking"]
