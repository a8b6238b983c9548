"""What `tidewaiter up` keeps going (both servers, the signer, the worker, the nights), and what `status` says of it.

Not here: flows and commands.
"""

from flows.host.children import ChildError
from flows.host.deploy import ProjectError
from flows.host.running import AlreadyRunningError
from flows.host.status import Status, look
from flows.host.up import PortInUseError, Up

__all__ = [
    "AlreadyRunningError",
    "ChildError",
    "PortInUseError",
    "ProjectError",
    "Status",
    "Up",
    "embedded",
    "look",
    "machine",
    "mlflow_server",
    "running",
    "unjudged",
    "watch",
]
