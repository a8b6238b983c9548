"""Files that are written whole or not at all, read mapped, and held against their checksums.

Not here: what is in them.
"""
