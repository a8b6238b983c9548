"""What `tidewaiter up` keeps going, in its order, and what `status` says of it.

Not here: the servers (servers), processes (processes), flows and commands.
"""

from flows.host.status import Status, look
from flows.host.up import PortInUseError, Up

__all__ = ["PortInUseError", "Status", "Up", "look"]
