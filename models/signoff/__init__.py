"""What follows from the ledger: the champion, promotion, what MLflow shows of it, and the audit of both.

Not here: the ledger and its rules (ledger), what is signed (evidence), the guard of MLflow's server (server), and when
things run (flows).
"""

__all__ = ["audit", "champion", "promotion", "waiting"]
