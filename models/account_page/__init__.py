"""The page of a person's own account: who one is here, personal tokens for one's own programs, and the way out.

Not here: accounts and roles of others (server), and signing in (single_sign_on).
"""

from models.account_page.page import PREFIX, AccountPage

__all__ = ["PREFIX", "AccountPage"]
