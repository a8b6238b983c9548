"""What a user's mapping file says: which columns of which files become the contract's columns, in which currency.

Not here: reading the files (reading).
"""

from features.mapping.converted import in_one_currency
from features.mapping.mapping import FileKind, MappingFile, load, reads

__all__ = ["FileKind", "MappingFile", "in_one_currency", "load", "reads"]
