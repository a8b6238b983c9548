"""The page on which analysts write rules, see what they would have meant, and confirm or refuse those of others.

Not here: what a criterion is (criteria), who may take which step (ledger), and what past weeks say of one (workspace).
"""

from models.criteria_page.page import PREFIX, ROLES, CriteriaPage

__all__ = ["PREFIX", "ROLES", "CriteriaPage"]
