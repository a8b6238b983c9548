"""Small declarations, outcomes and register entries for tests, complete by the contract."""

from datetime import datetime
from typing import Any

import polars as pl

from features import contract

DECLARATION: dict[str, Any] = {
    "declaration_id": "D1",
    "item_number": 1,
    "accepted_at": datetime(2024, 3, 1, 9, 30),
    "recorded_at": None,
    "office": "10",
    "procedure": "40",
    "import_type": "11",
    "import_use": "21",
    "payment_type": "11",
    "transport_mode": "1",
    "declarant_id": "B1",
    "importer_id": "I1",
    "seller_id": "S1",
    "courier_id": None,
    "hs_code": "090121",
    "departure_country": "BR",
    "origin_country": "BR",
    "tax_rate_pct": 8.0,
    "tax_type": "A",
    "origin_marking": "Y",
    "net_mass_kg": 100.0,
    "item_value": 500.0,
    "currency": "USD",
    "goods_description": None,
    "quantity": None,
    "quantity_unit": None,
    "gross_mass_kg": None,
    "container_id": None,
    "transport_document_id": None,
}

OUTCOME: dict[str, Any] = {
    "declaration_id": "D1",
    "item_number": 1,
    "accepted_at": datetime(2024, 3, 1, 9, 30),
    "is_inspected": True,
    "is_illicit": False,
    "is_critical": False,
    "recovered_revenue": 0.0,
    "inspection_channel": "red",
    "selection_probability": None,
    "known_at": None,
}


ENTRY: dict[str, Any] = {
    "entry_id": "R1",
    "recorded_at": datetime(2024, 3, 1, 9, 30),
    "party_role": "importer",
    "party_id": "I1",
    "attribute": "person",
    "value": "Anna Marport",
    "begins_at": None,
    "ends_at": None,
}

_EXAMPLES = {"declarations": DECLARATION, "outcomes": OUTCOME, "register": ENTRY}


def frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return a contract frame of `rows`; what a row leaves out is taken from the example above."""
    return pl.DataFrame([_EXAMPLES[table] | row for row in rows], schema=contract.schema(table))
