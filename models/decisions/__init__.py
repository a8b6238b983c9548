"""What was decided while somebody waited: every decision, chained by hash, in a database of its own.

A decision is in the database, or on the disk in the spool, before its answer leaves; nothing is changed afterwards.

Not here: how a decision is made (window), and how its lane is chosen (live).
"""

from models.database import Unavailable
from models.decisions.log import BrokenChain, DecisionLog, Document, Head
from models.decisions.record import Decision
from models.decisions.spool import Spool

__all__ = [
    "BrokenChain",
    "Decision",
    "DecisionLog",
    "Document",
    "Head",
    "Spool",
    "Unavailable",
    "agreement",
    "exports",
    "record",
]
