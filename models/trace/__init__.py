"""What answers for a decision: what was known and said then, who signed the model, and whether each link still holds.

A link is a statement that somebody can check: it holds, it is broken, or it could not be checked here, which is never
shown as if it held; nor is what a rule has purged. Nothing here says how things stand now, so the same decision gives
the same trace, until something that it rests on is purged.

Not here: how a decision is made again (window, workspace), how the links are shown (commands, desk_page).
"""

from models.trace.ledger import Ledger
from models.trace.links import BROKEN, HELD, NOT_CHECKED, PURGED, Broken, Link, NotChecked, Purged, judged, verdict
from models.trace.night import Night
from models.trace.touched import Decided, by_company, by_file, by_outcome
from models.trace.tracing import Further, Given, Item, Trace, Traced, Tracer, Unchecked
from models.trace.version import Model, Signer

__all__ = [
    "BROKEN",
    "HELD",
    "NOT_CHECKED",
    "PURGED",
    "Broken",
    "Decided",
    "Further",
    "Given",
    "Item",
    "Ledger",
    "Link",
    "Model",
    "Night",
    "NotChecked",
    "Purged",
    "Signer",
    "Trace",
    "Traced",
    "Tracer",
    "Unchecked",
    "again",
    "by_company",
    "by_file",
    "by_outcome",
    "judged",
    "ledger",
    "stored",
    "verdict",
]
