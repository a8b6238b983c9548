"""Partitions of declarations on disk with their manifest, and versions of the whole folder by DVC.

Not here: what may go in (validation) and how it does (ingestion).
"""
