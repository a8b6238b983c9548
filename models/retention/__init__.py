"""How long what is kept, and the tombstones of what was purged by that.

Not here: the purging itself, which is done where a thing lies (decisions, desk, features.store).
"""

from models.retention.rules import FILE, TABLES, Rules
from models.retention.tombstones import TOMBSTONES, Gone, Tombstone, Tombstones

__all__ = ["FILE", "TABLES", "TOMBSTONES", "Gone", "Rules", "Tombstone", "Tombstones"]
