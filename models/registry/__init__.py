"""Versions in MLflow: runs, experiments, artifacts, the registered model and how it is served.

Not here: whether a version may be promoted (signoff).
"""
