"""Who may sign a model version, who has, and what follows: the rules, the ledger, and the guard of the MLflow server.

Not here: what is signed (models/evidence/manifest.py) and when things run (flows/promote.py).
"""
