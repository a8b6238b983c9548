"""What tests share: worlds, stores, servers, people who sign.

Not here: fixtures of single rooms.
"""
