"""Steps that several flows share: finding the models that exist already, reports, and the summary of a run.

Not here: flows.
"""

from flows.steps.summary import Summary, Unchanged, show

__all__ = ["Summary", "Unchanged", "records", "reports", "show"]
