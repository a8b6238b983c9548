"""What is told about declarations as of a moment: versions of outcomes, facts in order, and windows over them.

Not here: where facts are stored (store), and what families make of them (families).
"""

from features.facts.kinds import Counted, Known

__all__ = [
    "Counted",
    "Known",
    "asof",
    "entity_codes",
    "kinds",
    "stretches",
    "windows",
]
