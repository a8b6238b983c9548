"""Files that are written whole or not at all, read as mapped memory, and compared with their checksums.

Not here: what is in them.
"""
