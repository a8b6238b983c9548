"""The command line.

Not here: what commands do.
"""
