"""What was decided while somebody waited: every decision, chained by hash, in a database of its own.

A decision is in the database, or on the disk in the spool, before its answer leaves; nothing is changed afterwards.

Not here: how a decision is made (window), and how its lane is chosen (live).
"""

from models.decisions.log import DecisionLog, Document, Head, Unavailable
from models.decisions.record import Decision, Item, Reason
from models.decisions.spool import Spool

__all__ = ["Decision", "DecisionLog", "Document", "Head", "Item", "Reason", "Spool", "Unavailable", "record"]
