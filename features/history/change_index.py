"""When the content of the store became known: for each day of the store, digests of its facts by the day they entered.

Nearly all versions and outcomes of a declaration lie on one day of the store. So facts are made day by day, and a day
whose files have not changed has the same facts. The exceptions, strays, are read together: versions that a correction
has moved to another day, and outcomes without their declaration.
"""

import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import polars as pl

from features.contract import KEY
from features.disk import checksums
from features.facts import Known, kinds
from features.network import ties
from features.store import Store

_log = logging.getLogger(__name__)
_CHUNK_ROWS = 500_000
_WRAP = 2**64
EPOCH = date(1970, 1, 1)
_STRAY = pl.Schema({"declaration_id": pl.String(), "item_number": pl.Int32()})
_FRAMES = ("rows", "declared", "found")

Digests = Mapping[int, int]  # by day since 1970-01-01; each is a sum of hashes, so the order of facts does not matter


def number(day: date) -> int:
    """Return the number of days since 1970-01-01."""
    return (day - EPOCH).days


@dataclass(frozen=True)
class _Day:
    """A day of the store.

    `files` are the digests of the files it was read from, `strays` its strays, `without` a digest of the strays that
    were left out of it, and `digests` those of the facts that remain.
    """

    files: str
    strays: list[tuple[str, int]]
    without: str
    digests: Mapping[str, Digests]

    def entered(self, after: int, until: int) -> bool:
        """Tell whether a fact entered after day `after` and not after `until`."""
        return any(after < day <= until for frame in ("declared", "found") for day in self.digests[frame])


@dataclass(frozen=True)
class Journal:
    """A store, read day by day. `strays` holds the keys of strays."""

    store: Store
    label_delay_days: int
    days: Mapping[date, _Day]
    strays: pl.DataFrame

    @classmethod
    def read(cls, store: Store, label_delay_days: int, version: str, path: Path) -> "Journal":
        """Return the journal kept at `path`, brought up to date: only days whose files have changed are read.

        `version` is the version of the code; a journal that another version wrote is ignored.
        """
        parts = store.manifest().parts
        every = sorted({day for table in kinds.SOURCES for day in parts.get(table, {})})
        rows = {
            day: sum(parts[table][day].rows for table in kinds.SOURCES if day in parts.get(table, {})) for day in every
        }
        files = {
            day: " ".join(parts[table][day].digest if day in parts.get(table, {}) else "-" for table in kinds.SOURCES)
            for day in every
        }
        version = f"{version} {label_delay_days}"
        kept = {day: held for day, held in _load(path, version).items() if files.get(day) == held.files}
        strays = {day: held.strays for day, held in kept.items()}
        for chunk in chunks([day for day in every if day not in kept], rows):
            strays |= _strays(store, chunk)
        keys = pl.DataFrame([key for found in strays.values() for key in found], schema=_STRAY, orient="row").unique()
        journal = cls(store, label_delay_days, kept, keys)
        without = journal._strays_by_day()
        days = {day: held for day, held in kept.items() if held.without == without.get(day, "")}
        changed = [day for day in every if day not in days]
        for chunk in chunks(changed, rows):
            digests = journal._digests_by_day(chunk)
            days |= {day: _Day(files[day], strays[day], without.get(day, ""), digests[day]) for day in chunk}
        if changed:
            _save(path, version, days)
        return cls(store, label_delay_days, days, keys)

    @cached_property
    def digests(self) -> Mapping[str, Digests]:
        """Return digests of rows by their day, and of declared and found facts by the day on which they entered."""
        total = {frame: Counter() for frame in _FRAMES}
        strays = kinds.build(*self._stray_rows, label_delay_days=self.label_delay_days)
        entries = [(frame, day, digest) for frame, _, day, digest in _hashed(strays)]
        for held in self.days.values():
            entries += ((frame, day, digest) for frame, by in held.digests.items() for day, digest in by.items())
        for frame, day, digest in entries:
            total[frame][day] = (total[frame][day] + digest) % _WRAP
        return total

    def known(self, after: int, until: int) -> Known:
        """Return the facts that entered after day `after` and not after `until`; all declarations of those days ask."""
        within = [day for day in self.days if after <= number(day) <= until]
        # Among the declarations accepted before, only those with facts that came late matter.
        before = [day for day, held in self.days.items() if number(day) < after and held.entered(after, until)]
        tables = zip(self._tables(within), self._late(before), self._stray_rows, strict=True)
        parts = (pl.concat(rows) for rows in tables)
        known = kinds.build(*parts, label_delay_days=self.label_delay_days)
        return replace(known, told=self.told).between(after, until)

    def _tables(self, days: Sequence[date]) -> list[pl.LazyFrame]:
        """Return the rows of `days`, table by table, without strays."""
        tables = [self.store.scan_days(table, days) for table in kinds.SOURCES]
        if self.strays.is_empty():
            return tables
        strays = self.strays.lazy()
        return [rows.join(strays, on=KEY, how="anti", maintain_order="left") for rows in tables]

    def _late(self, days: Sequence[date]) -> list[pl.LazyFrame]:
        """Return the rows of `days` that may have become known on a later day, and the declarations they belong to."""
        declared, *others = self._tables(days)
        keys = pl.concat([rows.select(KEY) for rows in others]).unique()
        came_later = declared.filter(pl.col("recorded_at").is_not_null()).select(KEY)
        keys = pl.concat([keys, came_later]).unique()
        return [declared.join(keys, on=KEY, how="semi", maintain_order="left"), *others]

    @cached_property
    def told(self) -> pl.DataFrame:
        """Return all that registers told: see network/ties.py. A register is small compared with declarations."""
        return ties.told(self.store.scan("register"), self.store.scan("register_superseded"))

    @cached_property
    def _told_digests(self) -> tuple[list[int], list[int]]:
        """Return the days on which registers told something, and for each a digest of all they had told by then."""
        hashed = self.told.select("enter", digest=pl.struct(kinds.TOLD.names()).hash(1))
        by_day = hashed.group_by("enter").agg(pl.col("digest").sum()).sort("enter").rows()
        return [day for day, _ in by_day], list(accumulate(digest for _, digest in by_day))

    def told_digest(self, day: int) -> int:
        """Return a digest of what registers had told by the morning of `day`."""
        days, digests = self._told_digests
        place = bisect_right(days, day)
        return digests[place - 1] % _WRAP if place else 0

    @cached_property
    def _stray_rows(self) -> list[pl.LazyFrame]:
        """Return all rows of strays, table by table.

        They may lie on any day, so every day's keys are read if there are strays at all.
        """
        if self.strays.is_empty():
            return [self.store.scan_days(table, []) for table in kinds.SOURCES]
        tables = (self.store.scan(table) for table in kinds.SOURCES)
        found = (rows.join(self.strays.lazy(), on=KEY, how="semi", maintain_order="left") for rows in tables)
        return [rows.collect(engine="streaming").lazy() for rows in found]

    def _strays_by_day(self) -> dict[date, str]:
        """Return a digest of the strays that lie on each day."""
        held = pl.concat([rows.select(*KEY, "accepted_at") for rows in self._stray_rows]).collect()
        keys = held.select(pl.col("accepted_at").dt.date(), digest=pl.struct(KEY).hash(1)).unique()
        return {day: str(sum(of_day["digest"]) % _WRAP) for (day,), of_day in keys.group_by("accepted_at")}

    def _digests_by_day(self, days: Sequence[date]) -> Mapping[date, Mapping[str, Digests]]:
        by_day: dict[date, dict[str, dict[int, int]]] = {day: {frame: {} for frame in _FRAMES} for day in days}
        for frame, accepted, entered, digest in _hashed(
            kinds.build(*self._tables(days), label_delay_days=self.label_delay_days)
        ):
            by_day[EPOCH + timedelta(days=accepted)][frame][entered] = digest
        return by_day


def _strays(store: Store, days: Sequence[date]) -> dict[date, list[tuple[str, int]]]:
    """Return, for each of `days`, the keys whose versions are not all on it.

    This is what each day can tell by itself; another day may tell of more.
    """
    declared, replaced, *outcomes = (
        store.scan_days(table, days).select(*KEY, day=pl.col("accepted_at").dt.date()) for table in kinds.SOURCES
    )
    here = [*KEY, "day"]
    moved = replaced.join(declared, on=here, how="anti")
    orphaned = pl.concat(outcomes).join(pl.concat([declared, replaced]), on=here, how="anti")
    found: dict[date, list[tuple[str, int]]] = {day: [] for day in days}
    for *key, day in pl.concat([moved, orphaned]).unique().sort(here).collect(engine="streaming").iter_rows():
        found[day].append((key[0], key[1]))
    return found


def _hashed(known: Known) -> Iterator[tuple[str, int, int, int]]:
    """Yield digests of facts with their frame, their day of the store, and the day on which they begin to count."""
    for frame, accepted, entered in (
        ("rows", "day", "day"),
        ("declared", "day", "enter"),
        ("found", "accepted_day", "enter"),
    ):
        rows = known.frame(frame)
        # The digest leaves out what replaces the fact later, and the line that the fact came from.
        values = rows.drop("replaced", "replaced_on", "source_file", "source_line", strict=False)
        hashed = rows.select(accepted=accepted, entered=entered).with_columns(values.hash_rows(seed=1).alias("digest"))
        for by in hashed.group_by("accepted", "entered").agg(pl.col("digest").sum()).iter_rows():
            yield frame, *by


def chunks(days: Sequence[date], rows: Mapping[date, int]) -> Iterator[list[date]]:
    """Yield runs of consecutive days that fit into memory together."""
    chunk: list[date] = []
    for day in days:
        chunk.append(day)
        if sum(rows.get(each, 0) for each in chunk) >= _CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _load(path: Path, version: str) -> dict[date, _Day]:
    if not path.exists():
        return {}
    try:
        kept = checksums.read_json(path)
    except checksums.SpoiltError as error:
        _log.warning("%s; every day is read again", error)
        return {}
    if kept["version"] != version:
        return {}
    return {
        date.fromisoformat(day): _Day(
            held["files"],
            [(declaration, item) for declaration, item in held["strays"]],
            held["without"],
            {frame: {int(n): digest for n, digest in by.items()} for frame, by in held["digests"].items()},
        )
        for day, held in kept["days"].items()
    }


def _save(path: Path, version: str, days: Mapping[date, _Day]) -> None:
    held = {
        str(day): {"files": of.files, "strays": of.strays, "without": of.without, "digests": of.digests}
        for day, of in sorted(days.items())
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    checksums.write_json(path, {"version": version, "days": held})
