"""The window: declarations are answered while somebody waits, each answer from what was known in the morning.

Not here: how places are given (live), what is kept (decisions), and messages of the world outside (features.messages).
"""

__all__ = ["client", "replaying", "sealing", "secrets"]
