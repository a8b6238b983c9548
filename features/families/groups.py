"""The group of a feature by what it speaks of: an officer is given one reason where a fact is spread over many columns.

Features that say the same thing share a group: every window and measure of an importer's record, say, or all that
compares a price with what the same heading from the same origin usually costs.
"""

from collections.abc import Sequence

REPEAT = "repeat"

# Columns that are of one kind. Chapter, heading and subheading nest, and a tariff decides its rate; an officer reads
# each lot as one. Any other column is a kind of its own.
_KINDS = {
    "importer_id": "importer",
    "seller_id": "seller",
    "declarant_id": "declarant",
    "courier_id": "courier",
    "hs2": "goods",
    "hs4": "goods",
    "hs6": "goods",
    "origin_country": "origin",
    "departure_country": "departure",
    "tax_type": "tariff",
    "tax_rate_pct": "tariff",
}
_EXACT = {"item_value", "net_mass_kg"}  # who declares these anew declares the same goods anew


def group_of(columns: Sequence[str]) -> str:
    """The group of whatever `columns` name.

    >>> group_of(["hs6", "importer_id"])
    'importer_x_goods'
    """
    if _EXACT & set(columns):
        return REPEAT
    order = list(dict.fromkeys(_KINDS.values()))
    kinds = {_KINDS.get(column, column) for column in columns}
    return "_x_".join(sorted(kinds, key=lambda kind: (order.index(kind) if kind in order else len(order), kind)))
