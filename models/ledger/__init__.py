"""The ledger of sign-off: what was asked, signed and refused, chained by hash and signed; and what it amounts to.

Not here: who may ask (access), the process that holds the key (signer), and what follows in MLflow (signoff).
"""

from models.ledger.book import Book, Case
from models.ledger.chain import Entry, LedgerError
from models.ledger.keys import Keys, read_public_key

__all__ = [
    "Book",
    "Case",
    "Entry",
    "Keys",
    "LedgerError",
    "chain",
    "lifecycle",
    "read_public_key",
    "reading",
    "storage",
]
