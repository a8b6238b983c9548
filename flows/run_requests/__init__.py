"""By whom a run is asked for, its form in the page, and the folders that may be named.

Not here: what may be chosen about a run (parameters), and running it.
"""

__all__ = ["asked", "authors", "forms"]
