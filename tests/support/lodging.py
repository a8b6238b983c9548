"""Declarations that are lodged with a window over HTTP, as a trade system or customs' own system does."""

import time
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from features.contract import schema
from features.messages import json_form
from features.store import Store

_AT_ONCE = 200
_READY_S = 120


def last_day(folder: Path) -> list[dict[str, Any]]:
    """Return the declarations of the last day stored in a source's folder as messages, under ids of their own."""
    store = Store(folder)
    day = store.days()[-1]
    rows = store.scan("declarations", day, day).select(schema("declarations").names()).collect()
    renamed = rows.with_columns(declaration_id="L" + pl.col("declaration_id"))
    rows = renamed.sort("accepted_at", "declaration_id", "item_number")
    return [json_form.message(own) for own in rows.partition_by("declaration_id", maintain_order=True)]


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
