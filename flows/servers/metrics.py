"""The exporter of figures: how `tidewaiter up` starts it, if a port is set for it."""

import sys

from flows.processes.children import Program
from flows.servers import mlflow_server, prefect_api
from flows.settings import Settings

PREPARED_S = 120.0


def program(settings: Settings, port: int) -> Program:
    """Return the exporter's program, which reads the same settings as this process."""
    options = ("--host", settings.host, "--port", str(port), *mlflow_server.UVICORN, "--no-access-log")
    return Program(
        "metrics",
        (sys.executable, "-m", "uvicorn", "--factory", "flows.exporter.app:create_app", *options),
        {},
        lambda: prefect_api.answers(f"http://{settings.host}:{port}/metrics/health"),
    )
