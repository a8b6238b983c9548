"""All facts before a moment, in order and added up beforehand, as families ask for them.

Not here: the values of features (families).
"""
