"""Who trades with whom and who is tied to whom, as customs knew it on the morning of a Monday.

`links` makes sums by pair of parties and week, `ties` says who shares what a register tells, `week` puts both together
as of one Monday, and `measures` has what is computed from such a network. Nothing here knows of a later week.
"""

from features.network.week import DECLARED, FIRST, WINDOW_DAYS, Network, Week

__all__ = [
    "DECLARED",
    "FIRST",
    "WINDOW_DAYS",
    "Network",
    "Week",
    "entries",
    "links",
    "matching",
    "measures",
    "ties",
]
