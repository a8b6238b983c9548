"""What a user's mapping file says: which columns of which files become the contract's columns, in which currency.

Not here: reading the files (reading).
"""
