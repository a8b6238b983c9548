"""Who may sign a model version, who has signed it, and what follows: the rules, the ledger, its audit, and promotion.

Not here: what is signed (evidence), the process that holds the key (signer), the guard of MLflow's server (server), and
when things run (flows).
"""
