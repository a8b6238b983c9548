"""Whether arriving data can be true, row by row and batch by batch, and the page that says so.

Not here: what happens to what cannot (ingestion).
"""
