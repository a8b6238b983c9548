"""Who asks: accounts, roles, passwords, personal tokens, and the pages from which requests come, for both servers.

Not here: what may be asked (server, runs).
"""

from models.access.break_glass import BreakGlass
from models.access.call import LONGEST_TEXT, Call, Refused, row_number
from models.access.directory import Account, Directory
from models.access.entrance import LOOPBACK, Entrance, Names, parts, refuse_length, whole
from models.access.guesses import Guesses
from models.access.identities import Identities, Identity
from models.access.personal_tokens import Lives, PersonalToken, PersonalTokens

__all__ = [
    "LONGEST_TEXT",
    "LOOPBACK",
    "Account",
    "BreakGlass",
    "Call",
    "Directory",
    "Entrance",
    "Guesses",
    "Identities",
    "Identity",
    "Lives",
    "Names",
    "PersonalToken",
    "PersonalTokens",
    "Refused",
    "account_changes",
    "accounts",
    "identities",
    "machines",
    "offices",
    "parts",
    "personal_tokens",
    "refuse_length",
    "row_number",
    "strict_json",
    "tokens",
    "whole",
]
