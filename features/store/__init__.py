"""Partitions of declarations on disk with their manifest, and versions of the whole folder by DVC.

Not here: what may go in (validation) and how it does (ingestion).
"""

from features.store.store import STAGING, BatchRecord, PartitionFile, Store, StoreError

__all__ = [
    "STAGING",
    "BatchRecord",
    "PartitionFile",
    "Store",
    "StoreError",
    "parquet",
    "versioning",
]
