"""The second pass of an ingestion decides what of the staged batches is new, and which version of a row counts.

A row's versions are ordered by the instant that they carry (`version_at` of the contract's filing; rows without one
come first), and at the same instant by arrival. So a correction replaces what it corrects even if the two arrive in the
wrong order, and if rows carry no instant the later file counts. Versions of one row in one file that differ and have
the same instant contradict each other: all of them are refused, but the rows of their lines for another table are not.

The work is cut by ranges of ids (the first column of the key), so that memory holds a part of a batch, however large it
is. Small batches are merged together; the result is the same as one after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import polars as pl

from features import contract
from features.contract import FILING, INSTANT
from features.ingestion.staging import Group, content
from features.store import Store, parquet
from features.validation import BATCH, FAILURES, PLACE

RANGE_ROWS = 500_000
CONSISTENT = "versions_in_one_file_agree"

_EARLIEST = pl.lit(datetime(1, 1, 1), INSTANT)
_PLACED = pl.Schema({**PLACE, "day": pl.Date(), "is_older": pl.Boolean()})
# These columns describe a version that is replaced: by which batch, its day, and which line of the group it is, or null
# if the store has it.
_REPLACED = pl.Schema({BATCH: pl.UInt32(), "day": pl.Date(), "held_batch": pl.UInt32(), "held_line": pl.Int64()})


@dataclass(frozen=True)
class Range:
    """Ids from `start` (inclusive) to `end` (exclusive); None is unbounded."""

    start: str | None = None
    end: str | None = None

    def of(self, table: str, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows of `frame`, which has the key of `table`, with such ids."""
        name = pl.col(FILING[table].key[0])
        if self.start is not None:
            frame = frame.filter(name >= self.start)
        return frame if self.end is None else frame.filter(name < self.end)


def ranges(boundaries: list[str]) -> list[Range]:
    """Return ranges that meet at `boundaries`.

    >>> ranges(["M", "C"])
    [Range(start=None, end='C'), Range(start='C', end='M'), Range(start='M', end=None)]
    """
    edges = [None, *sorted(set(boundaries)), None]
    return [Range(start, end) for start, end in pairwise(edges)]


@dataclass
class Share:
    """Counts of what becomes of one batch's lines; `superseded` counts versions that a newer one replaced.

    `overtaken` counts rows whose newest version in the batch is older than a held version with other content. Lines of
    which a part was refused are neither stored nor known but quarantined.
    """

    stored: int = 0
    known: int = 0
    superseded: int = 0
    overtaken: int = 0


@dataclass(frozen=True)
class Merged:
    """The merged batches of a group before number `until`, as if they had come one after the other."""

    group: Group
    shares: tuple[Share, ...]
    until: int

    def placed(self, table: str) -> pl.LazyFrame:
        """Return the lines to store: PLACE, `day`, and `is_older` where a newer version was in force before."""
        files = sorted(self.group.folder.glob(f"placed-{table}-*.parquet"))
        return parquet.scan_files(files, _PLACED).filter(pl.col(BATCH) < self.until)

    def replaced(self, table: str) -> pl.LazyFrame:
        """Return the versions that a line of the group replaces: their key, and _REPLACED."""
        files = sorted(self.group.folder.glob(f"replaced-{table}-*.parquet"))
        return parquet.scan_files(files, _replaced_schema(table)).filter(pl.col(BATCH) < self.until)

    def in_the_end(self, table: str) -> pl.LazyFrame:
        """Return `placed` with `is_older` as it is after the last batch, and `since`, which puts versions in order.

        `since` is twice the number of the batch that made the version an older one; plus one if it was older when it
        came.
        """
        held = self.replaced(table).select(pl.col("held_batch").alias(BATCH), source_line="held_line", by=BATCH)
        placed = self.placed(table).join(held.drop_nulls(), on=[*PLACE], how="left")
        since = pl.when("is_older").then(pl.col(BATCH).cast(pl.Int64) * 2 + 1).otherwise(pl.col("by") * 2)
        is_older = pl.col("is_older") | pl.col("by").is_not_null()
        return placed.with_columns(is_older=is_older, since=since).drop("by")

    def replaced_in_store(self, table: str) -> pl.LazyFrame:
        """Return the stored rows that are replaced: their key, day, and `since` as above."""
        of_store = self.replaced(table).filter(pl.col("held_batch").is_null())
        return of_store.select(*FILING[table].key, "day", since=pl.col(BATCH).cast(pl.Int64) * 2)


def merge(group: Group, store: Store) -> Merged:
    """Decide what becomes of every staged line; lines that contradict each other join the refused ones."""
    shares = tuple(Share() for _ in group.batches)
    largest = max(group.rows.values(), default=0)
    ids = pl.concat([pl.Series(dtype=pl.String), *(sample["id"] for sample in group.samples)]).sort()
    cuts = -(-largest // RANGE_ROWS)
    boundaries = [ids[len(ids) * cut // cuts] for cut in range(1, cuts)]
    for number, part in enumerate(ranges(boundaries)):
        _merge_range(group, shares, store, part, number)
    return Merged(group, shares, len(group.batches))


def _merge_range(group: Group, shares: Sequence[Share], store: Store, part: Range, number: int) -> None:
    offered = {table: _offered(group, table, part) for table in parquet.CURRENT if group.rows[table]}
    contradictions = {table: _contradictions(table, rows) for table, rows in offered.items()}
    kept_of = {
        table: rows.join(contradictions[table], on=[*PLACE], how="anti", maintain_order="left")
        for table, rows in offered.items()
    }
    _refuse(group, list(contradictions.values()), list(kept_of.values()))
    lines, stored = [], []
    for table, kept in kept_of.items():
        placed, replaced, overtaken = _placed(store, table, part, kept)
        placed.write_parquet(group.folder / f"placed-{table}-{number:06d}.parquet")
        replaced.write_parquet(group.folder / f"replaced-{table}-{number:06d}.parquet")
        for batch, count in _counted(pl.concat([replaced.select(BATCH), placed.filter("is_older").select(BATCH)])):
            shares[batch].superseded += count
        for batch, count in _counted(overtaken):
            shares[batch].overtaken += count
        lines.append(kept.select(*PLACE))
        stored.append(placed.select(*PLACE))
    if lines:
        in_part = [(staged.number, line) for staged in group.batches for line in staged.in_part]
        whole = pl.concat(lines).unique().join(pl.DataFrame(in_part, PLACE, orient="row"), on=[*PLACE], how="anti")
        for batch, count in _counted(whole.join(pl.concat(stored), on=[*PLACE], how="semi")):
            shares[batch].stored += count
        for batch, count in _counted(whole.join(pl.concat(stored), on=[*PLACE], how="anti")):
            shares[batch].known += count


def _counted(rows: pl.DataFrame) -> Iterable[tuple[int, int]]:
    return rows.group_by(BATCH).len().iter_rows()


def _refuse(group: Group, contradictions: Sequence[pl.DataFrame], kept: Sequence[pl.DataFrame]) -> None:
    """Have each batch refuse its lines that contradict each other; parts of them may be `kept`."""
    found = pl.concat(contradictions) if contradictions else pl.DataFrame(schema={BATCH: PLACE[BATCH]})
    for (batch,), failures in found.group_by(BATCH, maintain_order=True):
        staged = group.batches[int(str(batch))]
        left = {line for rows in kept for line in rows.filter(pl.col(BATCH) == batch)["source_line"]}
        staged.refuse(staged.lines_as_given(failures["source_line"]), failures.select(*FAILURES), left, group.folder)


def _offered(group: Group, table: str, part: Range) -> pl.DataFrame:
    """Return the staged rows' key, `at` (instant of the version), `day`, `content` and PLACE."""
    return part.of(table, group.scan(table)).select(*_version(table), "content", *PLACE).collect(engine="streaming")


def _version(table: str) -> list[pl.Expr]:
    filing = FILING[table]
    at = pl.coalesce(filing.version_at, _EARLIEST) if filing.version_at else _EARLIEST
    return [*(pl.col(name) for name in filing.key), at.alias("at"), _day(table)]


def _day(table: str) -> pl.Expr:
    return pl.col(FILING[table].placed_by).dt.date().alias("day")


def _contradictions(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return BATCH and FAILURES of lines that give one version of one row different content in one batch."""
    key = FILING[table].key
    several = rows.group_by(BATCH, *key, "at").agg(
        versions=pl.col("content").n_unique(), lines=pl.col("source_line").sort().cast(pl.String)
    )
    several = several.filter(pl.col("versions") > 1)
    row = f"{key[0]}: '{{}}'" + "".join(f", {name.removesuffix('_number')} {{}}" for name in key[1:])
    reason = pl.format(
        f"{row}: lines {{}} contradict each other in {table}", *key, pl.col("lines").list.head(5).list.join(", ")
    )
    return rows.join(several, on=[BATCH, *key, "at"]).select(
        *PLACE, expectation=pl.lit(CONSISTENT), column=pl.lit(key[0]), reason=reason
    )


def _placed(
    store: Store, table: str, part: Range, offered: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return lines to store, rows that they replace, and BATCH of each row that is overtaken (see Share).

    A line that is in neither of the first two is a copy of what is known.

    Taking one batch after the other would decide the same, but each would cost as much as all. What becomes of a row
    depends only on rows of its key, so all keys take turns together: first what the first batch with the key says of
    it, then what the second says, and so on.
    """
    key = FILING[table].key
    rows = offered.sort(*PLACE).unique([BATCH, *key, "at", "content"], keep="first", maintain_order=True)
    rows = rows.with_columns(turn=pl.col(BATCH).rank("dense").over(key))
    nowhere = [pl.lit(None, PLACE[BATCH]).alias(BATCH), pl.lit(None, PLACE["source_line"]).alias("source_line")]
    held = _stored(store, table, part, rows).with_columns(nowhere)
    gone = held.clear()  # versions that an earlier batch of the group placed or replaced, and that are not in force
    placed, replaced = [pl.DataFrame(schema=_PLACED)], [pl.DataFrame(schema=_replaced_schema(table))]
    overtaken = [offered.clear().select(BATCH)]
    for (_,), turn in rows.sort("turn", maintain_order=True).group_by("turn", maintain_order=True):
        new, older = _sorted_out(table, turn, held)
        overtaken.append(older.filter("is_newest").select(BATCH))
        if not older.is_empty():
            before = _stored(store, f"{table}_superseded", part, older)
            older = older.join(pl.concat([before, gone.select(before.columns)]), on=[*key, "content"], how="anti")
        gives_way = held.join(new.select(*key, by=BATCH), on=key)
        placed += [each.select(*PLACE, "day", is_older=is_older) for each, is_older in ((new, False), (older, True))]
        replaced.append(
            gives_way.select(*key, "day", pl.col("by").alias(BATCH), held_batch=BATCH, held_line="source_line").select(
                replaced[0].columns
            )
        )
        held = pl.concat([held.join(new, on=key, how="anti"), new.select(held.columns)])
        gone = pl.concat([gone, gives_way.select(gone.columns), older.select(gone.columns)])
    return pl.concat(placed).sort(*PLACE), pl.concat(replaced), pl.concat(overtaken)


def _sorted_out(table: str, rows: pl.DataFrame, held: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split `rows`, one batch a key, into those in force from now on and others, without copies of what is `held`.

    `is_newest` tells of each row whether its batch has no newer one of its key.
    """
    key = FILING[table].key
    before = held.select(*key, held_at="at", held_content="content")
    rows = rows.join(before, on=key, how="left", maintain_order="left")
    rows = rows.filter(pl.col("content").eq_missing(pl.col("held_content")).not_())
    rows = rows.with_columns(is_newest=pl.col("at") == pl.col("at").max().over(key))
    in_force = pl.col("is_newest") & (pl.col("held_at").is_null() | (pl.col("at") >= pl.col("held_at")))
    return rows.filter(in_force), rows.filter(in_force.not_())


def _stored(store: Store, table: str, part: Range, rows: pl.DataFrame) -> pl.DataFrame:
    """Return key, `at`, `day` and `content` of the rows that the store's `table` holds under the keys of `rows`."""
    base = table.removesuffix("_superseded")
    key = FILING[base].key
    keys = rows.lazy().select(key).unique()
    held = part.of(base, store.scan(table)).select(*key, _day(base)).join(keys, on=key, how="semi")
    days: list[date] = held.select(pl.col("day").unique().sort()).collect(engine="streaming").to_series().to_list()
    found = part.of(base, store.scan_days(table, days)).join(keys, on=key, how="semi")
    return found.select(*_version(base), content(base)).collect(engine="streaming")


def _replaced_schema(table: str) -> pl.Schema:
    return pl.Schema({**{name: contract.schema(table)[name] for name in FILING[table].key}, **_REPLACED})
