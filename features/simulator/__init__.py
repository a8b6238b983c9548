"""Simulated customs declarations: seeded, the same to the byte everywhere, with planted fraud and its inspections.

Other rooms use `generate` and `days_after` (the contract's tables), `Parameters` and `Preset`; `simulate` and
`companies` show what is behind them. docs/simulator.md tells what is realistic and what is not.
"""

from datetime import datetime, time

import polars as pl

from features.progress import Progress
from features.simulator.deliveries import deliver
from features.simulator.frames import Tables, build, companies
from features.simulator.presets import Preset
from features.simulator.world import Parameters, simulate

__all__ = ["Parameters", "Preset", "Tables", "build", "companies", "days_after", "deliver", "generate", "simulate"]


def generate(parameters: Parameters, on_progress: Progress | None = None) -> Tables:
    """Return all that `parameters` simulate; column `arrives` is the number of the month whose file brings the row."""
    world = simulate(parameters, on_progress)
    return deliver(build(world, parameters.seed), world, parameters)


def days_after(parameters: Parameters, days: int) -> Tables:
    """Return what happens on so many days after those of `parameters`, as everybody would write it down in time."""
    tables = build(simulate(parameters, days_after=days), parameters.seed)
    end = datetime.combine(parameters.first_days()[-1], time())
    later = (
        table.filter(pl.col("accepted_at") >= end) for table in (tables.declarations, tables.outcomes, tables.truth)
    )
    return Tables(*later, tables.register)
