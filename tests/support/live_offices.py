"""Offices that place declarations as they come: scored declarations of past weeks, policies, and days to play."""

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from models import policy
from models.live.placing import Candidate
from models.live.plan import Plan, plan_day
from models.policy import LANES, Capacity, Targeting

DAY = date(2024, 5, 2)  # a Thursday
NOTHING = pl.DataFrame(
    schema={
        "declaration_id": pl.String,
        "item_number": pl.Int32,
        "office": pl.String,
        "accepted_at": pl.Datetime("us"),
        "score": pl.Float64,
        "critical": pl.Float64,
        "revenue_if_illicit": pl.Float64,
        "hit_value": pl.Float64,
    }
)
EVEN = (0.5, 0.5, 0.5)


def past(office: str = "010", daily: int = 40, days: int = 28, seed: int = 1) -> pl.DataFrame:
    """Return so many scored declarations of each of the `days` before DAY, through office hours."""
    random = np.random.default_rng([seed, int(office)])
    count = daily * days
    on = [DAY - timedelta(days=1 + row // daily) for row in range(count)]
    second = random.integers(8 * 3600, 18 * 3600, count).tolist()
    return pl.DataFrame(
        {
            "declaration_id": [f"{office}-{row}" for row in range(count)],
            "item_number": pl.Series([1] * count, dtype=pl.Int32),
            "office": [office] * count,
            "accepted_at": [
                datetime.combine(d, time()) + timedelta(seconds=s) for d, s in zip(on, second, strict=True)
            ],
            "score": random.beta(1, 8, count),
            "critical": random.beta(1, 60, count),
            "revenue_if_illicit": random.lognormal(7, 1.2, count),
            "hit_value": [500.0] * count,
        },
        schema=NOTHING.schema,
    )


def targeting(
    own: tuple[int, int, int] | None = (4, 3, 2), carried: tuple[int, int, int] = (0, 5, 5), **settled: float
) -> Targeting:
    """Return the delivered policy with these places a day for office 010 (None: shares), carried for so many days."""
    base = policy.load().targeting
    lanes = {
        name: getattr(base.lanes, name).model_copy(update={"carried_days": days})
        for name, days in zip(LANES, carried, strict=True)
    }
    offices = {} if own is None else {"010": Capacity(**dict(zip(LANES, own, strict=True)))}
    return base.model_copy(update={"lanes": base.lanes.model_copy(update=lanes), "offices": offices, **settled})


def plan(ours: Targeting, rows: pl.DataFrame | None = None, exploring: float = 0.1, day: date = DAY) -> Plan:
    """Return office 010's plan."""
    return plan_day("010", day, past() if rows is None else rows, ours, EVEN, exploring)


def arrivals(count: int, seed: int = 2, first: int = 8 * 3600, last: int = 18 * 3600) -> list[Candidate]:
    """Return a day's items between two seconds, in order."""
    random = np.random.default_rng(seed)
    seconds = np.sort(random.integers(first, last, count)).tolist()
    columns = (random.beta(1, 8, count), random.beta(1, 60, count), random.lognormal(7, 1.2, count))
    weights = random.uniform(0.2, 1.8, count)
    return [Candidate(*row) for row in zip(seconds, *(c.tolist() for c in columns), weights.tolist(), strict=True)]
