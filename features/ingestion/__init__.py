"""Batches of a source into the store: staged, validated, merged, each line stored, quarantined or known.

Not here: reading (reading, sources) and judging (validation).
"""
