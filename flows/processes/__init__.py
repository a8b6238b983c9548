"""Processes on this machine: children and their users, which `tidewaiter up` runs, and what a machine may refuse.

Not here: what the processes are (servers) and which of them run (host).
"""

from flows.processes.children import ChildError
from flows.processes.running import AlreadyRunningError

__all__ = ["AlreadyRunningError", "ChildError", "children", "machine", "run_as", "running", "unfinished"]
