"""All facts before a moment, put in order and summed in advance, in the form in which families ask for them.

Not here: the values of features (families).
"""
