"""Lineage for others: what runs read and wrote, as events of OpenLineage, in files and to an endpoint.

Not here: which flow reads and writes what (flows). An event has names, versions, digests and counts of lines; nothing
that was declared, and no person.
"""

from models.lineage.datasets import Dataset
from models.lineage.events import Run
from models.lineage.log import Log
from models.lineage.sending import Refused, send, waiting_since

__all__ = ["Dataset", "Log", "Refused", "Run", "datasets", "published", "send", "waiting_since"]
