"""Facts about the past, which are only ever added, and what is counted of them.

A fact names entities, has a day that it is about and a day from which it is visible, and counts with a sign. When a
correction replaces something, a fact of its own takes it back: the same fact with the other sign, visible from the day
after the correction was recorded. So everything that features ask of the past is a sum, and sums over different spans
of time can be added (features/history/preaggregated.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from features.arrays import Flags, Floats, Ints
from features.contract import HIGHEST_DUTY, KEY
from features.facts.asof import LONGEST_WAIT_DAYS, NEVER, declaration_versions, outcome_versions
from features.facts.entity_codes import Hashes, mixed
from features.facts.windows import Days

# The store's tables in the order in which `build` takes them.
SOURCES = ("declarations", "declarations_superseded", "outcomes", "outcomes_superseded")

_PRICED = (pl.col("net_mass_kg") > 0) & (pl.col("item_value") > 0)
VALUE_PER_KG = pl.when(_PRICED).then(pl.col("item_value") / pl.col("net_mass_kg"))


def _log_per_unit(amount: str) -> pl.Expr:
    return pl.when((pl.col("quantity") > 0) & (pl.col(amount) > 0)).then(pl.col(amount) / pl.col("quantity")).log10()


# Columns by which families look up or measure histories, in addition to those of the contract.
DERIVED = {
    "hs2": pl.col("hs_code").str.slice(0, 2),
    "hs4": pl.col("hs_code").str.slice(0, 4),
    "hs6": pl.col("hs_code").str.slice(0, 6),
    "log_value_per_kg": VALUE_PER_KG.log10(),
    "log_value_per_unit": _log_per_unit("item_value"),
    "log_mass_per_unit": _log_per_unit("net_mass_kg"),
}


@dataclass(frozen=True)
class Kind:
    """Tells what is counted, and of which facts; `measures` are whole numbers.

    A kind with `by_value` is named after a column, and facts with different values of that column are kept apart.
    """

    frame: str
    day: str
    measures: tuple[pl.Expr, ...]
    only: pl.Expr
    by_value: bool = False


def whole(amount: str) -> pl.Expr:
    """Return an expression for an amount of money rounded to whole units, so that sums are exact.

    An amount beyond the contract's limits is cut to them, because a back-test scores its lines whatever validation says
    of them.
    """
    return pl.col(amount).cast(pl.Float64).fill_null(0).clip(-HIGHEST_DUTY, HIGHEST_DUTY).round().cast(pl.Int64)


_INSPECTED, _HIT = pl.col("is_inspected").cast(pl.Int64), pl.col("is_illicit").fill_null(value=False).cast(pl.Int64)
_EVERY = pl.col("day").is_not_null()
_PROMPT = pl.col("day") - pl.col("accepted_day") <= LONGEST_WAIT_DAYS

# The places of the measures in each kind.
DECLARATIONS = 0
INSPECTIONS, HITS = 0, 1

KINDS = {
    # Declarations by the day of acceptance: how many, and the value declared.
    "declared": Kind("declared", "day", (pl.lit(1, pl.Int64), whole("item_value")), _EVERY),
    # Outcomes by the day on which they became known: inspections, hits, revenue.
    "found": Kind("found", "day", (_INSPECTED, _HIT, whole("recovered_revenue")), _PROMPT),
    # Outcomes by the day on which their declaration was accepted: inspections, hits.
    "concluded": Kind("found", "accepted_day", (_INSPECTED, _HIT), _EVERY),
    # Declarations by the day of acceptance and a number that they state.
    **{
        name: Kind("declared", "day", (pl.lit(1, pl.Int64),), pl.col(name).is_not_null(), by_value=True)
        for name in ("log_value_per_kg", "log_value_per_unit", "log_mass_per_unit", "tax_rate_pct")
    },
}


# What a register told: which company is tied to which value (see network/ties.py). `ends` is null for what goes on.
TOLD = pl.Schema(
    {"company": pl.UInt64(), "value": pl.UInt64(), "ends": pl.Int64(), "enter": pl.Int64(), "sign": pl.Int64()}
)


@dataclass(frozen=True)
class Counted:
    """The facts of one kind; `rows` says in which rows of their frame they stand."""

    rows: Ints
    enter: Days
    day: Ints
    measures: Ints
    value: Floats


@dataclass(frozen=True)
class Known:
    """Facts in three frames, and the rows that ask about them.

    `rows` are declarations as accepted, one a query, with `day`. `declared` are versions of declarations, with `day`,
    `enter` and `sign`. `found` are outcomes with their declaration's columns, with `accepted_day`, `day` (when known),
    `enter` and `sign`. For `told` see `TOLD`. All day columns are Int64 days since 1970-01-01.
    """

    rows: pl.DataFrame
    declared: pl.DataFrame
    found: pl.DataFrame
    told: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TOLD))

    def asked_on(self, days: Iterable[int]) -> "Known":
        """Return the same facts, asked about only by declarations accepted on `days`."""
        return replace(self, rows=self.rows.filter(pl.col("day").is_in(list(days))))

    def between(self, after: int, until: int) -> "Known":
        """Return the facts that entered after day `after` and not after `until`; of registers, all told by then."""
        entered = pl.col("enter").is_between(after, until, closed="right")
        told = self.told.filter(pl.col("enter") <= until)
        return replace(self, declared=self.declared.filter(entered), found=self.found.filter(entered), told=told)

    def frame(self, name: str) -> pl.DataFrame:
        return {"rows": self.rows, "declared": self.declared, "found": self.found}[name]

    @cached_property
    def _counted(self) -> dict[str, Counted]:
        return {}

    def counted(self, kind: str) -> Counted:
        """Return the facts of one of `KINDS`."""
        if kind not in self._counted:
            of = KINDS[kind]
            frame = self.frame(of.frame).with_row_index("row").filter(of.only)
            measures = frame.select((m * pl.col("sign")).alias(str(i)) for i, m in enumerate(of.measures)).to_numpy()
            value = frame[kind].to_numpy() if of.by_value else np.full(frame.height, np.nan)
            enter, day = Days(frame["enter"].to_numpy()), frame[of.day].to_numpy()
            self._counted[kind] = Counted(frame["row"].to_numpy(), enter, day, measures, value)
        return self._counted[kind]

    @cached_property
    def _hashed(self) -> dict[tuple[str, str], tuple[Hashes, Flags]]:
        return {}

    def entities(self, frame: str, by: Sequence[str]) -> tuple[Hashes, Flags]:
        """Return a hash of the entity that columns `by` name in each row of a frame, and whether the row names one."""
        height = self.frame(frame).height
        parts = self.hashed(frame, by)
        named = np.ones(height, np.bool_)
        for _, is_known in parts:
            named &= is_known
        return mixed((part for part, _ in parts), height), named

    def hashed(self, frame: str, columns: Sequence[str]) -> list[tuple[Hashes, Flags]]:
        """Return, for each column of a frame, the hashes of its values and which of the values are not null.

        Columns that were not asked for before are hashed together, in one pass.
        """
        if new := [column for column in dict.fromkeys(columns) if (frame, column) not in self._hashed]:
            hashes = [pl.col(column).hash(1).alias(f"{column} hash") for column in new]
            found = self.frame(frame).select(*hashes, *(pl.col(column).is_not_null() for column in new))
            for column in new:
                self._hashed[frame, column] = found[f"{column} hash"].to_numpy(), found[column].to_numpy()
        return [self._hashed[frame, column] for column in columns]


def build(
    declarations: pl.LazyFrame,
    superseded_declarations: pl.LazyFrame,
    outcomes: pl.LazyFrame,
    superseded_outcomes: pl.LazyFrame,
    label_delay_days: int,
) -> Known:
    """Return all facts of these tables; every declaration, as accepted, asks about them."""
    versions = declaration_versions(declarations, superseded_declarations).with_columns(**DERIVED).collect()
    versions = versions.with_columns(day=days("accepted_on"), enter=days("known_on") + 1, replaced=days("replaced_on"))
    rows = versions.filter("is_original").sort("accepted_at", *KEY)
    as_accepted = rows.drop("recorded_at", "known_on", "replaced_on", "replaced", "is_original", "accepted_at")
    found = (
        outcome_versions(outcomes, superseded_outcomes, label_delay_days)
        .collect()
        .select(
            *KEY,
            pl.col("is_inspected"),
            pl.col("is_illicit"),
            pl.col("recovered_revenue"),
            found_day=days("known_on"),
            replaced=days("replaced_on"),
        )
        .join(as_accepted, on=KEY, how="inner", maintain_order="left")
        .rename({"day": "accepted_day"})
        # If the declaration came after its outcome, the outcome counts from the day on which customs had both.
        .with_columns(day=pl.max_horizontal("found_day", pl.col("enter") - 1))
        .with_columns(enter=pl.col("day") + 1)
    )
    return Known(rows, signed(versions), signed(found))


def signed(versions: pl.DataFrame) -> pl.DataFrame:
    """Return facts made from versions: one that brings a version in, and one that takes it back if it was replaced."""
    versions = versions.filter(pl.col("replaced") >= pl.col("enter")).with_columns(sign=pl.lit(1, pl.Int64))
    taken_back = versions.filter(pl.col("replaced") < days(pl.lit(NEVER))).with_columns(
        enter=pl.col("replaced") + 1, sign=pl.lit(-1, pl.Int64)
    )
    return pl.concat([versions, taken_back])


def days(column: str | pl.Expr) -> pl.Expr:
    """Return an expression for a day as the number of days since 1970-01-01."""
    column = pl.col(column) if isinstance(column, str) else column
    return column.cast(pl.Date).to_physical().cast(pl.Int64)
