"""The past that features look into: declarations and outcomes as facts, keyed by the entities they concern."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from features.asof import LOOK_BACK_DAYS, declaration_versions, outcome_versions
from features.contract import KEY
from features.windows import Days, Facts, Ints, Queries

# The store's tables in the order in which `build` takes them.
SOURCES = ("declarations", "declarations_superseded", "outcomes", "outcomes_superseded")

# Columns that families key their histories by, beside those of the contract.
DERIVED = {
    "hs2": pl.col("hs_code").str.slice(0, 2),
    "hs4": pl.col("hs_code").str.slice(0, 4),
    "hs6": pl.col("hs_code").str.slice(0, 6),
}

_FEW = 10  # with fewer queries than a tenth of the facts, looking up whom they are about pays


@dataclass(frozen=True)
class History:
    """Declarations and outcomes in one frame of facts each, and the rows that ask about them.

    `rows`: declarations as accepted, one a query, with `day`. `declared`: every version of every declaration, with
    `day`, `enter` and `replaced`. `found`: every outcome version with its declaration's columns, with `accepted_day`,
    `day` (when known), `enter` and `replaced`. All day columns are Int64 days since 1970-01-01.
    """

    rows: pl.DataFrame
    declared: pl.DataFrame
    found: pl.DataFrame

    @cached_property
    def _codes(self) -> dict[str, Ints]:
        return {}

    def entities(self, by: Sequence[str]) -> tuple[Ints, Ints, Ints]:
        """Codes of the entity named by columns `by`, for `rows`, `declared` and `found`; -1 where a part is null."""
        code = np.zeros(self.rows.height + self.declared.height + self.found.height, np.int64)
        size = 1
        for column in by:
            part = self._column_codes(column)
            cardinality = int(part.max(initial=0)) + 1
            code = np.where((code < 0) | (part < 0), -1, code * cardinality + part)
            size *= cardinality
            if size > len(code):
                code = _dense(code)
                size = int(code.max(initial=0)) + 1
        first, second = self.rows.height, self.rows.height + self.declared.height
        if first * _FEW < self.declared.height:
            # What nobody asks about need not be sorted and summed: this is what makes one day's features cheap.
            code[first:] = np.where(np.isin(code[first:], np.unique(code[:first])), code[first:], -1)
        return code[:first], code[first:second], code[second:]

    def _column_codes(self, column: str) -> Ints:
        if column not in self._codes:
            values = pl.concat([self.rows[column], self.declared[column], self.found[column]])
            indices = values.to_arrow().dictionary_encode().indices.fill_null(-1)
            self._codes[column] = indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return self._codes[column]

    @cached_property
    def _days(self) -> dict[tuple[str, int], Days]:
        return {}

    def _once(self, name: str, window_days: int, days: Callable[[], Ints]) -> Days:
        """Days that every entity has in common, so that they are put in order once."""
        key = (name, window_days)
        if key not in self._days:
            self._days[key] = Days(days())
        return self._days[key]

    def queries(self, entity: Ints) -> Queries:
        return Queries(entity, self._once("asked", 0, lambda: self.rows["day"].to_numpy()))

    def declared_facts(self, entity: Ints, window_days: int) -> Facts:
        """Declarations accepted within `window_days` before the query's day, as customs then knew them."""

        def leave() -> Ints:
            in_window = self.declared["day"].to_numpy() + window_days
            return np.minimum(in_window, self.declared["replaced"].to_numpy()) + 1

        enter = self._once("declared", 0, lambda: self.declared["enter"].to_numpy())
        return Facts(entity, enter, self._once("declared until", window_days, leave))

    def found_facts(self, entity: Ints, window_days: int) -> Facts:
        """Outcomes that became known within `window_days` before the query's day, of declarations in the look-back."""

        def leave() -> Ints:
            in_window = self.found["day"].to_numpy() + window_days
            in_look_back = self.found["accepted_day"].to_numpy() + LOOK_BACK_DAYS
            return np.minimum(np.minimum(in_window, in_look_back), self.found["replaced"].to_numpy()) + 1

        enter = self._once("found", 0, lambda: self.found["enter"].to_numpy())
        return Facts(entity, enter, self._once("found until", window_days, leave))


def _dense(code: Ints) -> Ints:
    """The same entities with codes from 0 on, in order of appearance; -1 stays.

    >>> _dense(np.array([70, -1, 7, 70])).tolist()
    [0, -1, 1, 0]
    """
    indices = pa.array(code, mask=code < 0).dictionary_encode().indices.fill_null(-1)
    return indices.to_numpy(zero_copy_only=False).astype(np.int64)


def build(
    declarations: pl.LazyFrame,
    superseded_declarations: pl.LazyFrame,
    outcomes: pl.LazyFrame,
    superseded_outcomes: pl.LazyFrame,
    label_delay_days: int,
) -> History:
    """A history in which every declaration, as accepted, is a query."""
    versions = declaration_versions(declarations, superseded_declarations).with_columns(**DERIVED).collect()
    versions = versions.with_columns(
        day=_days("accepted_on"), enter=_days("known_on") + 1, replaced=_days("replaced_on")
    )
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
            found_day=_days("known_on"),
            replaced=_days("replaced_on"),
        )
        .join(as_accepted, on=KEY, how="inner", maintain_order="left")
        .rename({"day": "accepted_day"})
        # A late declaration's outcome counts once customs had both.
        .with_columns(day=pl.max_horizontal("found_day", pl.col("enter") - 1))
        .with_columns(enter=pl.col("day") + 1)
    )
    return History(rows, versions, found)


def narrowed(history: History, days: Iterable[int]) -> History:
    """The same past, asked only for declarations accepted on `days`."""
    return History(history.rows.filter(pl.col("day").is_in(list(days))), history.declared, history.found)


def _days(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Date).to_physical().cast(pl.Int64)
