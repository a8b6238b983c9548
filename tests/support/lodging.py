"""Declarations that are lodged with a window over HTTP, as a trade system or customs' own system does."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from features.contract import schema
from features.messages import json_form
from features.store import Store

_AT_ONCE = 200
_READY_S = 120
_OWN = ("item_number", "hs_code", "origin_country", "tax_rate_pct", "tax_type", "net_mass_kg", "gross_mass_kg")
AT_ITEM = (*_OWN, "item_value", "goods_description", "quantity", "quantity_unit", "origin_marking")


def last_day(folder: Path) -> list[dict[str, Any]]:
    """Return the declarations of the last day stored in a source's folder as messages, under ids of their own."""
    store = Store(folder)
    day = store.days()[-1]
    rows = store.scan("declarations", day, day).select(schema("declarations").names()).collect()
    return list(messages(rows.with_columns("L" + pl.col("declaration_id"))))


def messages(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield each declaration of rows of the contract as a message in JSON, in the order of acceptance."""
    told = rows.sort("accepted_at", "declaration_id", "item_number").drop(json_form.SET_BY_CUSTOMS)
    for _, own in told.group_by("declaration_id", maintain_order=True):
        head = {name: value for name, value in own.row(0, named=True).items() if name not in AT_ITEM}
        items = [
            {name: row[name] for name in AT_ITEM if row.get(name) is not None} for row in own.iter_rows(named=True)
        ]
        yield {name: value for name, value in head.items() if value is not None} | {"items": items}


def lodge(window_url: str, token: str, declared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lodge declarations, and return the decisions; a window that asks to come again later is asked again."""
    decisions: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=window_url, headers=headers, timeout=60, trust_env=False) as client:
        for begin in range(0, len(declared), _AT_ONCE):
            deadline = time.monotonic() + _READY_S
            while (
                answer := client.post("/window/declarations", json=declared[begin : begin + _AT_ONCE])
            ).status_code == 503:
                assert time.monotonic() < deadline, answer.text
                time.sleep(float(answer.headers["retry-after"]))
            decisions += answer.raise_for_status().json()["decisions"]
    return decisions
