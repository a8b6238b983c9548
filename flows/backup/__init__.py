"""Backups: everything that an installation keeps, of one moment; and the ways back from one.

Not here: the commands (commands), and how each thing is written in the first place.
"""

from flows.backup.making import KEYS, backup
from flows.backup.manifest import Manifest, read
from flows.backup.restoring import restore
from flows.backup.upgrading import Upgraded, upgrade

__all__ = ["KEYS", "Manifest", "Upgraded", "backup", "read", "restore", "upgrade"]
