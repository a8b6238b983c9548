"""Input files as tables of text: kinds of files, CSV dialects, types of columns, and expressions over columns.

Not here: which files there are (sources) and whether what they say can be true (validation).
"""

from features.reading.csv_dialect import ReadError
from features.reading.source import Batch, Chunk, Source

__all__ = [
    "Batch",
    "Chunk",
    "ReadError",
    "Source",
    "conform",
    "csv_dialect",
    "expressions",
    "files",
    "objects",
    "written",
]
