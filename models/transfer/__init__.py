"""A version in one file, for another installation: written with its evidence and ledger, and verified there.

Not here: what becomes of it there (flows), and the ledger and evidence themselves (ledger, evidence).
"""

from models.transfer.exported import Exported, export, read

__all__ = ["Exported", "export", "read"]
