"""The window: declarations are answered while somebody waits, each answer from what was known in the morning.

Not here: how places are given (live), what is kept (decisions), and messages of the world outside (features.messages).
"""

from models.window.answering import Asked
from models.window.deciding import Decider, NotDecided
from models.window.ground import Familiar, Ground

__all__ = ["Asked", "Decider", "Familiar", "Ground", "NotDecided"]
