"""What a user's mapping file says: which columns of whose files are which of the contract's, in which currency.

Not here: reading the files (reading).
"""
