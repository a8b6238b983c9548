"""Who asks: accounts, roles, passwords, and from which pages requests may come, for both servers.

Not here: what may be asked (server, runs).
"""
