"""The page on which people look at the network of companies: its answers, and the log of what was opened.

The page itself is in static/: files for a browser, which need no other server. Accounts are those of the MLflow server,
and all of this is behind its guard (models/server/guard.py).
"""

from models.network_page.answers import Answers
from models.network_page.page import NetworkPage, address

__all__ = ["Answers", "NetworkPage", "address", "openings"]
