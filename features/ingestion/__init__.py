"""Brings batches of a source into the store: staged, validated, merged; each line is stored, quarantined or known.

Not here: reading (reading, sources) and judging (validation).
"""
