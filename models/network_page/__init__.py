"""The page on which people look at the network of companies: its answers, and the log of what was opened.

The page itself is static/: files for a browser, which need no other server. Accounts are those of the MLflow server,
behind whose guard all of this is (models/server/guard.py).
"""
