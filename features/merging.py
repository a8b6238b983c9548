"""The second pass of an ingestion: what of a staged batch is new, and which version of a row counts.

A row's versions are ordered by the instant they carry (`version_at` of the contract's filing; none comes first), and at
the same instant by arrival. So a correction replaces what it corrects even if the two arrive in the wrong order, and
where rows carry no instant the later file counts. Versions of one row in one file that differ and have the same instant
contradict each other: all are refused, and what their lines say for another table is not.

The work is cut by ranges of ids, the first column of the key, so that memory holds a part of a batch, however large it
is.
"""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import polars as pl

from features import contract
from features.contract import FILING, INSTANT
from features.staging import Staged, content, lines_as_given
from features.store import CURRENT, Store, scan_files
from features.verdict import FAILURES

RANGE_ROWS = 500_000
CONSISTENT = "versions_in_one_file_agree"

_EARLIEST = pl.lit(datetime(1, 1, 1), INSTANT)
_PLACED = pl.Schema({"source_line": pl.Int64(), "day": pl.Date(), "is_older": pl.Boolean()})


@dataclass(frozen=True)
class Range:
    """Ids from `start` (inclusive) to `end` (exclusive); None is unbounded."""

    start: str | None = None
    end: str | None = None

    def of(self, table: str, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of `frame`, which has the key of `table`, with such ids."""
        name = pl.col(FILING[table].key[0])
        if self.start is not None:
            frame = frame.filter(name >= self.start)
        return frame if self.end is None else frame.filter(name < self.end)


def ranges(boundaries: list[str]) -> list[Range]:
    """Ranges that meet at `boundaries`.

    >>> ranges(["M", "C"])
    [Range(start=None, end='C'), Range(start='C', end='M'), Range(start='M', end=None)]
    """
    edges = [None, *sorted(set(boundaries)), None]
    return [Range(start, end) for start, end in pairwise(edges)]


@dataclass
class Merged:
    """What becomes of a staged batch, in source lines; `superseded` counts versions that a newer one replaced.

    `overtaken` counts rows whose newest version here is older than one that the store holds and says another thing.
    Lines of which a part was refused are neither stored nor known but quarantined.
    """

    staged: Staged
    stored: int = 0
    known: int = 0
    superseded: int = 0
    overtaken: int = 0

    def placed(self, table: str) -> pl.LazyFrame:
        """Lines to store: `source_line`, `day`, and `is_older` where a newer version is in force."""
        return scan_files(sorted(self.staged.folder.glob(f"placed-{table}-*.parquet")), _PLACED)

    def replaced(self, table: str) -> pl.LazyFrame:
        """Stored rows that give way to a line of the batch: their key and day."""
        key = {name: contract.schema(table)[name] for name in FILING[table].key}
        files = sorted(self.staged.folder.glob(f"replaced-{table}-*.parquet"))
        return scan_files(files, pl.Schema({**key, "day": pl.Date()}))


def merge(staged: Staged, store: Store) -> Merged:
    """Decide what becomes of every staged line; lines that contradict each other join the refused ones."""
    merged = Merged(staged)
    largest = max(staged.rows.values(), default=0)
    ids = pl.concat([pl.Series(dtype=pl.String), *(sample["id"] for sample in staged.samples)]).sort()
    cuts = -(-largest // RANGE_ROWS)
    boundaries = [ids[len(ids) * cut // cuts] for cut in range(1, cuts)]
    for number, part in enumerate(ranges(boundaries)):
        _merge_range(merged, store, part, number)
    return merged


def _merge_range(merged: Merged, store: Store, part: Range, number: int) -> None:
    staged = merged.staged
    offered = {table: _offered(staged, table, part) for table in CURRENT if staged.rows[table]}
    contradictions = {table: _contradictions(table, rows) for table, rows in offered.items()}
    kept_of = {
        table: rows.filter(pl.col("source_line").is_in(contradictions[table]["source_line"].implode()).not_())
        for table, rows in offered.items()
    }
    found = pl.concat([pl.DataFrame(schema=FAILURES), *contradictions.values()])
    if not found.is_empty():
        left = {line for kept in kept_of.values() for line in kept["source_line"]}
        staged.refuse(lines_as_given(staged.batch, found["source_line"].unique().to_list()), found, left)
    lines, stored = [], []
    for table, kept in kept_of.items():
        placed, replaced, overtaken = _placed(store, table, part, kept)
        placed.write_parquet(staged.folder / f"placed-{table}-{number:06d}.parquet")
        replaced.write_parquet(staged.folder / f"replaced-{table}-{number:06d}.parquet")
        merged.superseded += replaced.height + int(placed["is_older"].sum())
        merged.overtaken += overtaken
        lines.append(kept["source_line"])
        stored.append(placed["source_line"])
    if lines:
        in_part = pl.Series(sorted(staged.in_part), dtype=pl.Int64).implode()
        whole = pl.concat(lines).unique()
        whole = whole.filter(whole.is_in(in_part).not_())
        new = int(whole.is_in(pl.concat(stored).unique().implode()).sum())
        merged.stored += new
        merged.known += len(whole) - new


def _offered(staged: Staged, table: str, part: Range) -> pl.DataFrame:
    """The staged rows' key, `at` (instant of the version), `day`, `content` and `source_line`."""
    return (
        part.of(table, staged.scan(table))
        .select(*_version(table), "content", "source_line")
        .collect(engine="streaming")
    )


def _version(table: str) -> list[pl.Expr]:
    filing = FILING[table]
    at = pl.coalesce(filing.version_at, _EARLIEST) if filing.version_at else _EARLIEST
    return [*(pl.col(name) for name in filing.key), at.alias("at"), _day(table)]


def _day(table: str) -> pl.Expr:
    return pl.col(FILING[table].placed_by).dt.date().alias("day")


def _contradictions(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Failures of lines that give one version of one row of `table` different content."""
    key = FILING[table].key
    several = rows.group_by(*key, "at").agg(
        versions=pl.col("content").n_unique(), lines=pl.col("source_line").sort().cast(pl.String)
    )
    several = several.filter(pl.col("versions") > 1)
    row = f"{key[0]}: '{{}}'" + "".join(f", {name.removesuffix('_number')} {{}}" for name in key[1:])
    reason = pl.format(
        f"{row}: lines {{}} contradict each other in {table}", *key, pl.col("lines").list.head(5).list.join(", ")
    )
    return rows.join(several, on=[*key, "at"]).select(
        "source_line", expectation=pl.lit(CONSISTENT), column=pl.lit(key[0]), reason=reason
    )


def _placed(store: Store, table: str, part: Range, offered: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Lines to store, stored rows that they replace, and how many rows are overtaken (see Merged).

    A line that is in neither is a copy of what is known.
    """
    key = FILING[table].key
    rows = offered.sort("source_line").unique([*key, "at", "content"], keep="first", maintain_order=True)
    current = _stored(store, table, part, rows)
    rows = rows.join(current.rename({"at": "held_at", "content": "held", "day": "held_day"}), on=key, how="left")
    rows = rows.filter(pl.col("content").eq_missing(pl.col("held")).not_())
    newest = pl.col("at") == pl.col("at").max().over(key)
    in_force = newest & (pl.col("held_at").is_null() | (pl.col("at") >= pl.col("held_at")))
    rows = rows.with_columns(is_older=in_force.not_())
    overtaken = rows.filter("is_older", newest).height
    older = rows.filter("is_older")
    if not older.is_empty():
        older = older.join(_stored(store, f"{table}_superseded", part, older), on=[*key, "content"], how="anti")
    now = rows.filter(pl.col("is_older").not_())
    placed = pl.concat([now, older]).select(_PLACED.names()).sort("source_line")
    replaced = now.filter(pl.col("held").is_not_null()).select(*key, day="held_day")
    return placed, replaced, overtaken


def _stored(store: Store, table: str, part: Range, rows: pl.DataFrame) -> pl.DataFrame:
    """Key, `at`, `day` and `content` of what the store's `table` holds under the keys of `rows`."""
    base = table.removesuffix("_superseded")
    key = FILING[base].key
    keys = rows.lazy().select(key).unique()
    held = part.of(base, store.scan(table)).select(*key, _day(base)).join(keys, on=key, how="semi")
    days: list[date] = held.select(pl.col("day").unique().sort()).collect(engine="streaming").to_series().to_list()
    found = part.of(base, store.scan_days(table, days)).join(keys, on=key, how="semi")
    return found.select(*_version(base), content(base)).collect(engine="streaming")
