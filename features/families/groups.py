"""The group of a feature, by what it speaks of: an officer gets one reason for a fact that is spread over many columns.

Features that say the same thing share a group: for example every window and measure of an importer's record, or all
features that compare a price with what the same heading from the same origin usually costs.
"""

from collections.abc import Sequence

REPEAT = "repeat"

# The kind of each column. Chapter, heading and subheading nest, and a tariff decides its rate, so an officer reads them
# as one. Any other column is a kind of its own.
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
_EXACT = {"item_value", "net_mass_kg"}  # whoever declares the same value or mass again declares the same goods again


def group_of(columns: Sequence[str]) -> str:
    """Return the group of features about what `columns` name.

    >>> group_of(["hs6", "importer_id"])
    'importer_x_goods'
    """
    if _EXACT & set(columns):
        return REPEAT
    order = list(dict.fromkeys(_KINDS.values()))
    kinds = {_KINDS.get(column, column) for column in columns}
    return "_x_".join(sorted(kinds, key=lambda kind: (order.index(kind) if kind in order else len(order), kind)))
