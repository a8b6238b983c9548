"""The feature matrix: all families side by side, kept by day under the digest of the code that computed it.

Not here: single families (families).
"""
