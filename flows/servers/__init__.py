"""Prefect's and MLflow's servers: how each is started, asked and brought up to date, or embedded in one command.

Not here: what is watched on them (watching) and in which order they start (host).
"""

from flows.servers.deploy import ProjectError

__all__ = ["ProjectError", "deploy", "embedded", "event_order", "mlflow_server", "prefect_api"]
