"""Who may sign a model version, who has signed it, and what follows: the rules, the ledger, its audit, and promotion.

Not here: what is signed (evidence), the process that holds the key (signer), the guard of MLflow's server (server), and
when things run (flows).
"""

from models.signoff.book import ADMINISTRATOR, SERVER, SERVICE, Case
from models.signoff.chain import Action, Entry, Head, LedgerError, Row
from models.signoff.keys import Keys
from models.signoff.ledger import Followed, Ledger, NotSigned, Table, Writer, now

__all__ = [
    "ADMINISTRATOR",
    "SERVER",
    "SERVICE",
    "Action",
    "Case",
    "Entry",
    "Followed",
    "Head",
    "Keys",
    "Ledger",
    "LedgerError",
    "NotSigned",
    "Row",
    "Table",
    "Writer",
    "audit",
    "champion",
    "lifecycle",
    "now",
    "promotion",
    "reading",
    "waiting",
]
