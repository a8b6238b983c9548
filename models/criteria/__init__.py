"""Rules by people (selectivity criteria): what officers ask for, who confirmed it, and which hold on a day.

Not here: who gets a place (live), the rows that prove each step (ledger), and reading what is stored (workspace).
"""

from models.criteria.criterion import Condition, Criterion
from models.criteria.in_force import InForce
from models.criteria.register import Register, Standing, Step

__all__ = ["Condition", "Criterion", "InForce", "Register", "Standing", "Step", "criterion", "figures"]
