"""The process that holds the private key, appends to the ledger and signs; and the way to ask it.

Not here: what an entry means (signoff).
"""

__all__ = ["asking"]
