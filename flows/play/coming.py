"""What comes on the days after a simulated world's last one, and what is true of it.

A few declarations are amended an hour later, as happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from features import simulator
from features.messages import json_form
from features.simulator import Parameters

AMENDED_EACH = 25  # one declaration in so many
_LATER = timedelta(hours=1)
_RAISED = 1.2  # the value of an amended item


@dataclass(frozen=True)
class Coming:
    """A declaration, or an amendment of one, as the window is told of it at an instant in legal time."""

    at: datetime
    declaration_id: str
    version: int
    message: Mapping[str, Any]


@dataclass(frozen=True)
class Truth:
    """Tells what is true of an item, whatever anybody declares or finds; `evaded` is in the item's currency."""

    scheme: str
    is_illicit: bool
    is_critical: bool
    evaded: float


def coming(world: Parameters, first: date, count: int) -> tuple[list[Coming], dict[tuple[str, int], Truth]]:
    """Return what comes on `count` days from `first`, in order, and the truth of each item.

    ValueError if `first` is a day of the simulated world itself.
    """
    end = world.first_days()[-1]
    if first < end:
        raise ValueError(f"{first} is a day of the simulated world; allowed: {end} or later")
    tables = simulator.days_after(world, (first - end).days + count)
    rows = tables.declarations.filter(pl.col("accepted_at").dt.date() >= first).drop("arrives")
    found = []
    for place, own in enumerate(rows.partition_by("declaration_id", maintain_order=True)):
        at: datetime = own["accepted_at"][0]
        message = json_form.message(own)
        found.append(Coming(at, message["declaration_id"], 1, message))
        if place % AMENDED_EACH == AMENDED_EACH - 1 and (at + _LATER).date() == at.date():
            found.append(Coming(at + _LATER, message["declaration_id"], 2, _amended(message)))
    truth = {
        (row["declaration_id"], row["item_number"]): Truth(
            row["scheme"], row["is_illicit"], row["is_critical"], row["evaded_revenue"]
        )
        for row in tables.truth.iter_rows(named=True)
    }
    return sorted(found, key=lambda each: each.at), truth


def _amended(message: Mapping[str, Any]) -> dict[str, Any]:
    first, *rest = message["items"]
    return {**message, "items": [first | {"item_value": round(first["item_value"] * _RAISED, 2)}, *rest]}
