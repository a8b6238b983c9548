"""Brings batches of a source into the store: staged, validated, merged; each line is stored, quarantined or known.

Not here: reading (reading, sources) and judging (validation).
"""

from features.ingestion.batches import BatchReport, IngestRejected, IngestReport, ingest
from features.ingestion.rereading import reread

__all__ = ["BatchReport", "IngestRejected", "IngestReport", "ingest", "reread", "worlds"]
