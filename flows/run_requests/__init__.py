"""What a run is asked for, and by whom: parameters, their form in the page, authors, folders that may be named.

Not here: running it.
"""

from flows.run_requests.parameters import (
    Language,
    MonitorParameters,
    NetworkParameters,
    RehearseParameters,
    RetrainParameters,
    Search,
    SelectParameters,
    SourceName,
    author,
)

__all__ = [
    "Language",
    "MonitorParameters",
    "NetworkParameters",
    "RehearseParameters",
    "RetrainParameters",
    "Search",
    "SelectParameters",
    "SourceName",
    "asked",
    "author",
    "authors",
    "forms",
]
