"""Who asks: accounts, roles and passwords, and the pages from which requests may come, for both servers.

Not here: what may be asked (server, runs).
"""

from models.access.call import LONGEST_TEXT, Call, Refused, row_number
from models.access.directory import Account, Directory
from models.access.entrance import Entrance, Names, parts, refuse_length, whole

__all__ = [
    "LONGEST_TEXT",
    "Account",
    "Call",
    "Directory",
    "Entrance",
    "Names",
    "Refused",
    "account_changes",
    "accounts",
    "machines",
    "offices",
    "parts",
    "refuse_length",
    "row_number",
    "strict_json",
    "tokens",
    "whole",
]
