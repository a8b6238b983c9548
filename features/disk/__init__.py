"""Files that are written whole or not at all, read as mapped memory, and compared with their checksums.

Not here: what is in them.
"""

from features.disk.atomic import PARTIAL, write_atomically

__all__ = ["PARTIAL", "arrow_files", "atomic", "checksums", "write_atomically"]
