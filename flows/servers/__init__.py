"""Prefect's and MLflow's servers and the window: how each is started, asked, or embedded in one command.

Not here: what is watched on them (watching) and in which order they start (host).
"""

from flows.servers.deploy import ProjectError

__all__ = [
    "ProjectError",
    "deploy",
    "embedded",
    "event_order",
    "metrics",
    "mlflow_server",
    "one_sign_on",
    "prefect_api",
    "window",
]
