"""Faults between declaration and file: blemishes, late arrivals, corrections, duplicates, broken lines.

The rates are those that a well-run administration would know, so that quarantine and correction are exercised in every
run. Items to be quarantined are chosen among those that nobody inspected, and have no truth: nobody can say what they
were about.
"""

import numpy as np
import polars as pl

from features.arrays import Floats, Ints
from features.contract import KEY
from features.simulator.draws import stream
from features.simulator.frames import Tables
from features.simulator.world import Parameters, World

_ZERO_MASS, _ZERO_VALUE, _NO_IMPORT_USE, _NO_PAYMENT_TYPE = 0.004, 0.0005, 0.01, 0.005
_LATE, _LATE_DAYS = 0.02, 10  # the share of items accepted in a month's last days that come a file later
_CORRECTED = 0.004
_REPEATED, _REPEATED_LATER = 0.00012, 0.00006  # exact copies: in the same file, and in the next one

# The share of items with each fault that no reader can mend.
_BROKEN = {"country": 0.00012, "mass": 0.00012, "zeros": 0.00012, "rate": 0.00006, "office": 0.00006}


def deliver(tables: Tables, world: World, parameters: Parameters) -> Tables:
    """Return the tables with all faults of delivery; `arrives` is then each row's file."""
    rng = stream(parameters.seed, 30)
    last = len(world.month_starts) - 2
    n = tables.declarations.height
    inspected = np.zeros(n, np.bool_)
    inspected[world.results.position] = True
    lot = rng.random(n)  # one draw decides which of the exclusive fates an item has

    declarations = _blemished(rng, tables.declarations)
    declarations, late = _late(rng, declarations, world, last)
    is_plain = ~late & (tables.declarations["arrives"].to_numpy() < last)

    fate = _fates(lot, _BROKEN)
    leads_with_zero = tables.declarations["hs_code"].str.starts_with("0").to_numpy()
    fate = np.where(inspected | late, -1, fate)
    # Few codes begin with a zero, so the range of draws that lose it is widened to reach the intended rate.
    loses = leads_with_zero & ~inspected & ~late & (lot > 1 - _BROKEN["zeros"] * 8)
    fate = np.where(loses, list(_BROKEN).index("zeros"), np.where(fate == list(_BROKEN).index("zeros"), -1, fate))
    broken = _broken(declarations, fate)

    at = sum(_BROKEN.values())
    corrected = np.flatnonzero(is_plain & (lot >= at) & (lot < at + _CORRECTED) & ~loses)
    at += _CORRECTED
    again = np.flatnonzero(is_plain & (lot >= at) & (lot < at + _REPEATED) & ~loses)
    at += _REPEATED
    later = np.flatnonzero(is_plain & (lot >= at) & (lot < at + _REPEATED_LATER) & ~loses)
    delivered = pl.concat(
        [
            broken,
            _corrections(rng, declarations[pl.Series(corrected)], world),
            declarations[pl.Series(again)],
            declarations[pl.Series(later)].with_columns(pl.col("arrives") + 1),
        ]
    )
    arrives = declarations.select(*KEY, declared="arrives")
    outcomes = (
        tables.outcomes.join(arrives, on=KEY, how="left", maintain_order="left")
        .with_columns(arrives=pl.max_horizontal("arrives", "declared"))
        .drop("declared")
    )
    truth = tables.truth.with_columns(arrives=declarations["arrives"]).filter(pl.Series(fate < 0))
    return Tables(*(_ordered(table) for table in (delivered, outcomes, truth)), tables.register)


def _blemished(rng: np.random.Generator, declarations: pl.DataFrame) -> pl.DataFrame:
    """Return the declarations with some values that are odd but allowed."""
    n = declarations.height
    has_mass = pl.Series(rng.random(n) >= _ZERO_MASS)
    return declarations.with_columns(
        net_mass_kg=pl.when(has_mass).then("net_mass_kg").otherwise(0.0),
        gross_mass_kg=pl.when(has_mass).then("gross_mass_kg"),
        item_value=pl.when(pl.Series(rng.random(n) >= _ZERO_VALUE)).then("item_value").otherwise(0.0),
        import_use=pl.when(pl.Series(rng.random(n) >= _NO_IMPORT_USE)).then("import_use"),
        payment_type=pl.when(pl.Series(rng.random(n) >= _NO_PAYMENT_TYPE)).then("payment_type"),
    )


def _late(
    rng: np.random.Generator, declarations: pl.DataFrame, world: World, last: int
) -> tuple[pl.DataFrame, np.ndarray]:
    """Move some declarations of a month's last days to the next month's file; return them, and flags of which."""
    day = (declarations["accepted_at"].dt.date() - world.start).dt.total_days().to_numpy()
    month = declarations["arrives"].to_numpy()
    next_month = world.month_starts[month + 1]
    draw = rng.random(int(world.traffic.declaration[-1]) + 1)[world.traffic.declaration]
    late = (draw < _LATE) & (day >= next_month - _LATE_DAYS) & (month < last)
    delay = rng.integers(0, 5 * 24 * 60, len(draw))[world.traffic.declaration]
    recorded = _after(world, next_month, delay)
    return (
        declarations.with_columns(
            recorded_at=pl.when(pl.Series(late)).then(recorded),
            arrives=pl.col("arrives") + pl.Series(late).cast(pl.Int64),
        ),
        late,
    )


def _broken(declarations: pl.DataFrame, fate: Ints) -> pl.DataFrame:
    """Give some lines a fault: an unknown country, a negative mass, lost zeros, an impossible rate, no office."""
    has = {name: pl.Series(fate == number) for number, name in enumerate(_BROKEN)}
    return declarations.with_columns(
        origin_country=pl.when(has["country"]).then(pl.lit("XX")).otherwise("origin_country"),
        net_mass_kg=pl.when(has["mass"]).then(-pl.col("net_mass_kg") - 1).otherwise("net_mass_kg"),
        hs_code=pl.when(has["zeros"]).then(pl.col("hs_code").str.slice(1)).otherwise("hs_code"),
        tax_rate_pct=pl.when(has["rate"]).then(pl.col("tax_rate_pct") + 9000).otherwise("tax_rate_pct"),
        office=pl.when(~has["office"]).then("office"),
    )


def _corrections(rng: np.random.Generator, chosen: pl.DataFrame, world: World) -> pl.DataFrame:
    """Return new versions, recorded in the month after: the final invoice, and for some the weighed mass."""
    n = chosen.height
    invoice, weighed = 0.85 + 0.45 * rng.random(n), 0.85 + 0.15 * rng.random(n)
    mass = (
        pl.when(pl.Series(rng.random(n) < 0.3))
        .then(pl.col("net_mass_kg") * pl.Series(weighed))
        .otherwise("net_mass_kg")
    )
    month = chosen["arrives"].to_numpy() + 1
    recorded = _after(world, world.month_starts[month], rng.integers(0, 20 * 24 * 60, n))
    return chosen.with_columns(
        item_value=(pl.col("item_value") * pl.Series(invoice)).round(2),
        net_mass_kg=mass.round(3),
        recorded_at=recorded,
        arrives=pl.Series(month),
    )


def _after(world: World, day: Ints, minutes: Ints) -> pl.Series:
    """Return instants that are some minutes after the start of a day."""
    frame = pl.DataFrame({"minutes": day * 1440 + minutes})
    start = pl.lit(world.start).cast(pl.Datetime("us"))
    return frame.select((start + pl.duration(minutes="minutes")).cast(pl.Datetime("us"))).to_series()


def _fates(lot: Floats, shares: dict[str, float]) -> Ints:
    """Return the index of the share into which each draw falls, -1 for none."""
    bounds = np.cumsum([0.0, *shares.values()])
    fate = np.searchsorted(bounds, lot, side="right") - 1
    return np.where(fate < len(shares), fate, -1).astype(np.int64)


def _ordered(table: pl.DataFrame) -> pl.DataFrame:
    return table.sort("arrives", "accepted_at", maintain_order=True)
