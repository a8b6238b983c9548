"""Who asks: accounts, roles and passwords, and the pages from which requests may come, for both servers.

Not here: what may be asked (server, runs).
"""
