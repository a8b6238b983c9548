"""One currency for all amounts of a source: others are converted by dated rates, or refused.

Otherwise the same goods at the same price would seem a thousand times as dear in won as in dollars. The currency is the
one that a mapping states or, if none does, the one that the source's declarations are in already; amounts recovered and
evaded are in it too. A rate counts from its own day on: one that is told later changes nothing before it.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features import codes
from features.reading import ReadError
from features.store import Store
from features.validation.verdicts import PLACE, Finding

COLUMNS = ("day", "currency", "rate")
_NAME = "currency_is_the_source_s"


class SeveralCurrenciesError(ValueError):
    """A store holds amounts of several currencies, which cannot be compared."""


@dataclass(frozen=True)
class Rates:
    """The worth of one unit of each currency in `currency`, by day; `table` has COLUMNS, ordered by day.

    A day without a rate takes the latest one before it, if that is at most `max_age_days` old: weekends and holidays
    have none.
    """

    currency: str
    table: pl.DataFrame
    max_age_days: int

    @classmethod
    def read(cls, currency: str, file: Path, max_age_days: int) -> "Rates":
        """Read a CSV file with the columns day (ISO 8601), currency and rate; ReadError names line and value."""
        try:
            lines = pl.read_csv(file, columns=list(COLUMNS), infer_schema=False)
        except OSError as error:
            raise ReadError(f"{file}: the rates cannot be read ({error.strerror})") from error
        except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
            raise ReadError(f"{file}: not a CSV file with the columns {', '.join(COLUMNS)} ({error})") from error
        table = lines.select(
            pl.col("day").str.to_date("%Y-%m-%d", strict=False),
            "currency",
            pl.col("rate").cast(pl.Float64, strict=False),
        )
        is_good = (
            pl.col("day").is_not_null()
            & pl.col("currency").is_in(sorted(codes.currencies() - {currency}))
            & (pl.col("rate").is_finite() & (pl.col("rate") > 0)).fill_null(value=False)
        )
        bad = table.with_row_index("line", 2).filter(is_good.fill_null(value=False).not_()).head(1)
        for (line,) in bad.select("line").iter_rows():
            raise ReadError(
                f"{file} line {line}: {', '.join(str(value) for value in lines.row(line - 2))}; allowed: a day as "
                f"2024-02-29, another currency of ISO 4217 than {currency}, and a rate above 0"
            )
        twice = table.filter(pl.struct("day", "currency").is_duplicated()).head(1)
        for day, named in twice.select("day", "currency").iter_rows():
            raise ReadError(f"{file}: {named} has several rates on {day}; allowed: one")
        return cls(currency, table.sort("day", "currency"), max_age_days)

    def convert(self, declarations: pl.DataFrame) -> pl.DataFrame:
        """Return `declarations` with `item_value` in `self.currency`, at the rate of the day of acceptance.

        If there is no rate, the row stays and `unreadable` says why. Rows in that currency stay as they are, to the
        bit.
        """
        dated = declarations.with_row_index("_row").with_columns(_day=pl.col("accepted_at").dt.date()).sort("_day")
        rates = self.table.rename({"currency": "_from", "rate": "_rate"})
        found = dated.join_asof(
            rates,
            left_on="_day",
            right_on="day",
            by_left="currency",
            by_right="_from",
            strategy="backward",
            tolerance=f"{self.max_age_days}d",
            check_sortedness=False,
        ).sort("_row")
        is_other = pl.col("currency") != self.currency
        is_lacking = is_other & pl.col("_rate").is_null() & pl.col("_day").is_not_null()
        reason = pl.format(
            "currency: '{}' has no rate on {} or in the {} days before; expected: {}, or a currency with a rate",
            "currency",
            "_day",
            pl.lit(self.max_age_days),
            pl.lit(self.currency),
        )
        said = pl.concat_str("unreadable", pl.when(is_lacking).then(reason), separator="; ", ignore_nulls=True)
        has_rate = is_other & pl.col("_rate").is_not_null()
        return found.with_columns(
            item_value=pl.when(has_rate).then(pl.col("item_value") * pl.col("_rate")).otherwise("item_value"),
            currency=pl.when(has_rate).then(pl.lit(self.currency)).otherwise("currency"),
            unreadable=pl.when(is_lacking).then(said).otherwise("unreadable"),
        ).select(declarations.columns)


def judge(declarations: pl.DataFrame, currency: str) -> Finding:
    """Find the rows with amounts in another currency.

    `declarations` have the contract's columns, `unreadable`, and PLACE of features.validation.verdicts.

    If `unreadable` says something about the currency of a row, this adds nothing to it.

    >>> rows = pl.DataFrame({"source_line": [2, 3], "currency": ["USD", "KRW"], "unreadable": ["", None]})
    >>> judge(rows.with_columns(pl.lit(0, pl.UInt32).alias("batch")), "USD").failing["reason"].to_list()
    ["currency: 'KRW'; expected: USD, in which this source's amounts are; bring others ... by [amounts] of the mapping"]
    """
    says = f"{currency}, in which this source's amounts are; bring others to it by [amounts] of the mapping"
    is_told = pl.col("unreadable").str.contains("currency: ", literal=True).fill_null(value=False)
    failing = declarations.filter(pl.col("currency") != currency, ~is_told).select(
        *PLACE,
        column=pl.lit("currency"),
        reason=pl.format("currency: '{}'; expected: {}", "currency", pl.lit(says)),
        value="currency",
    )
    return Finding("declarations", _NAME, "currency", says, "row", failing.sort(*PLACE))


def usual(declarations: pl.DataFrame) -> str | None:
    """Return the currency of most rows; of two that have as many, the first by name. None if no row has one."""
    known = declarations.filter(pl.col("currency").is_in(sorted(codes.currencies())))
    counts = known.group_by("currency").len().sort("len", "currency", descending=[True, False])
    return counts["currency"][0] if counts.height else None


def stored(store: Store) -> str | None:
    """Return the currency of the first declaration of a store, which is that of all; None if the store is empty."""
    days = store.days()
    if not days:
        return None
    return store.scan("declarations").select("currency").head(1).collect().item()


def of_store(store: Store) -> str | None:
    """Return the one currency of a store; SeveralCurrenciesError if it is an older store that holds several."""
    found = store.scan("declarations").select(pl.col("currency").unique().sort()).collect(engine="streaming")
    named = found["currency"].to_list()
    if len(named) > 1:
        raise SeveralCurrenciesError(
            f"{store.root} holds amounts in {', '.join(named)}, which cannot be compared: state one currency and rates "
            "in [amounts] of the mapping, and read the files again by `tidewaiter data reread`"
        )
    return named[0] if named else None
