"""The contract's tables on disk: daily Parquet partitions, and one manifest that says which of them count.

    manifest.json                                        the only truth: every live file, every batch
    declarations/accepted_on=2024-01-31/<digest>.parquet      versions in force
    declarations_superseded/accepted_on=.../<digest>.parquet  what they replaced; likewise outcomes and truth
    register/recorded_on=2024-01-31/<digest>.parquet          entries of company registers
    quarantine/<batch>.parquet                           lines that were refused, as the source gave them; <batch>-2
                                                         of a file that was put back as it was before

Files are named by their content and never change, so replacing the manifest is the commit, and a crash leaves the last
good state. Files that the manifest does not name are left-overs. Nothing in this module depends on the clock or on the
order of unrelated batches. `features.ingestion.batches` brings in new rows.
"""

import fcntl
import json
import os
import shutil
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa

from features import contract
from features.disk import PARTIAL, atomic, write_atomically
from features.store import parquet
from features.store.parquet import PartitionFile

STAGING = ".staging"  # an ingestion's working folder; no part of the data


class StoreError(RuntimeError):
    """The store on disk is not usable as it is."""


@dataclass(frozen=True)
class BatchRecord:
    """Tells what one file brought, counted in source lines; `superseded` counts versions that a newer one replaced.

    `quarantined_by_reason` counts lines; a line refused for two reasons counts in both. Of the quarantined lines,
    `in_part` have something that was not refused and is in the store: the declaration beside a refused outcome.
    `left_out` counts lines that the mapping says to leave out.
    """

    file: str
    sha256: str
    rows_in: int
    stored: int
    quarantined: int
    known: int
    superseded: int
    quarantined_by_reason: Mapping[str, int]
    in_part: int = 0
    left_out: int = 0

    def to_dict(self) -> dict[str, object]:
        """Return the record as the manifest has it; counts that older manifests do not have are left out if 0."""
        return {name: value for name, value in asdict(self).items() if value or name not in ("in_part", "left_out")}


@dataclass(frozen=True)
class Manifest:
    """The live files by table and day, and the batches that made them, in order of arrival.

    `world` has the parameters of the simulated world; it is None if the data are real, or older than this record.
    """

    parts: Mapping[str, Mapping[date, PartitionFile]] = field(default_factory=dict)
    batches: tuple[BatchRecord, ...] = ()
    world: Mapping[str, int | str] | None = None

    def to_json(self) -> str:
        parts = {
            table: {day.isoformat(): {"digest": part.digest, "rows": part.rows} for day, part in sorted(days.items())}
            for table, days in sorted(self.parts.items())
        }
        world = {"world": dict(self.world)} if self.world else {}
        batches = [batch.to_dict() for batch in self.batches]
        return json.dumps({**world, "parts": parts, "batches": batches}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        loaded = json.loads(text)
        parts = {
            table: {date.fromisoformat(day): PartitionFile(**part) for day, part in days.items()}
            for table, days in loaded["parts"].items()
        }
        return cls(parts, tuple(BatchRecord(**batch) for batch in loaded["batches"]), loaded.get("world"))


@dataclass(frozen=True)
class Store:
    """The data of one source in folder `root`."""

    root: Path

    @property
    def exists(self) -> bool:
        return self._manifest_file.exists()

    @property
    def committed_at(self) -> int:
        """Return when something was last committed, in nanoseconds of the clock; 0 if nothing ever was."""
        try:
            return self._manifest_file.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    @property
    def _manifest_file(self) -> Path:
        return self.root / "manifest.json"

    def manifest(self) -> Manifest:
        """Return what is live now; an empty manifest if nothing was ever stored."""
        if not self.exists:
            return Manifest()
        try:
            return Manifest.from_json(self._manifest_file.read_text())
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise StoreError(f"{self._manifest_file}: not a manifest ({error!r}); restore the data folder") from error

    @property
    def batches(self) -> tuple[BatchRecord, ...]:
        return self.manifest().batches

    def days(self) -> list[date]:
        """Return the days on which declarations were accepted, in order."""
        return sorted(self.manifest().parts.get("declarations", {}))

    def rows(self, table: str) -> dict[date, int]:
        """Return the number of rows by day, in order."""
        return {day: part.rows for day, part in sorted(self.manifest().parts.get(table, {}).items())}

    def digest(self, table: str, day: date) -> str | None:
        """Return the digest of a day's content; None if the day has none."""
        part = self.manifest().parts.get(table, {}).get(day)
        return part.digest if part else None

    def path(self, table: str, day: date, digest: str) -> Path:
        return self.folder(table, day) / f"{digest}.parquet"

    def folder(self, table: str, day: date) -> Path:
        """Return the folder of a table's day, whether or not it exists."""
        placed_by = contract.FILING[table.removesuffix("_superseded")].placed_by
        return self.root / table / f"{placed_by.removesuffix('_at')}_on={day.isoformat()}"

    def files(self, table: str, since: date | None = None, until: date | None = None) -> list[Path]:
        """Return the live files of the days from `since` to `until`, both inclusive, in order of day."""
        return [
            self.path(table, day, part.digest)
            for day, part in sorted(self.manifest().parts.get(table, {}).items())
            if (since is None or since <= day) and (until is None or day <= until)
        ]

    def scan(self, table: str, since: date | None = None, until: date | None = None) -> pl.LazyFrame:
        """Scan the rows placed on the days from `since` to `until`, both inclusive, ordered by day, then key."""
        return parquet.scan_files(self.files(table, since, until), parquet.schema(table))

    def scan_days(self, table: str, days: Collection[date]) -> pl.LazyFrame:
        """Scan the rows placed on `days`, ordered by day, then key."""
        live = self.manifest().parts.get(table, {})
        files = [self.path(table, day, live[day].digest) for day in sorted(days) if day in live]
        return parquet.scan_files(files, parquet.schema(table))

    def quarantine(self) -> pl.LazyFrame:
        """Scan all refused lines: their place, the expectations they failed, why, and the row as given, in JSON."""
        return parquet.scan_files(self._quarantine_files(self.batches), parquet.QUARANTINE)

    def new_quarantine_files(self, records: Sequence[BatchRecord]) -> list[Path]:
        """Return the paths of files for the refused lines of those of `records` that have any.

        Their batches are not committed yet, though they may have been ingested before.
        """
        before = self.batches
        return self._quarantine_files([*before, *records])[len(self._quarantine_files(before)) :]

    def _quarantine_files(self, batches: Iterable[BatchRecord]) -> list[Path]:
        times: Counter[str] = Counter()
        files = []
        for batch in batches:
            times[batch.sha256] += 1
            if batch.quarantined:
                again = f"-{times[batch.sha256]}" if times[batch.sha256] > 1 else ""
                files.append(self.root / "quarantine" / f"{batch.sha256[:12]}{again}.parquet")
        return files

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the store for writing, cleaned of left-overs before and after. StoreError if another process has it."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{self.root}: another ingestion is writing here; wait for it to end") from None
            self._clean()
            try:
                yield
            finally:
                self._clean()
        finally:
            os.close(descriptor)

    def commit(
        self,
        changed: Mapping[tuple[str, date], PartitionFile | None],
        records: Sequence[BatchRecord],
        world: Mapping[str, int | str] | None = None,
    ) -> None:
        """Make the files of batches (already written) live; None removes a day. `world`: see Manifest."""
        manifest = self.manifest()
        parts = {table: dict(days) for table, days in manifest.parts.items()}
        for (table, day), part in changed.items():
            days = parts.setdefault(table, {})
            days.pop(day, None)
            if part is not None:
                days[day] = part
        new = [self.path(table, day, part.digest) for (table, day), part in changed.items() if part is not None]
        new += self.new_quarantine_files(records)
        folders = {folder for path in new for folder in (path.parent, path.parent.parent)}
        atomic.flush([*new, *sorted(folders), self.root])
        kept = {table: days for table, days in parts.items() if days}
        text = Manifest(kept, (*manifest.batches, *records), world or manifest.world).to_json()
        write_atomically(self._manifest_file, lambda partial: partial.write_text(text))
        for (table, day), part in changed.items():
            replaced = manifest.parts.get(table, {}).get(day)
            if replaced is not None and replaced != part:
                self.path(table, day, replaced.digest).unlink()

    def _clean(self) -> None:
        """Remove files that the manifest does not name: left-overs of a crash, and files that were replaced."""
        shutil.rmtree(self.root / STAGING, ignore_errors=True)
        manifest = self.manifest()
        live = {self._manifest_file}
        live.update(self._quarantine_files(manifest.batches))
        for table, days in manifest.parts.items():
            live |= {self.path(table, day, part.digest) for day, part in days.items()}
        named = {str(path) for path in live}  # making a Path for each file costs as much as looking at it
        for folder, folders, files in os.walk(self.root, topdown=False):  # a folder's content before the folder
            left = [file for file in files if f"{folder}/{file}" not in named]
            for file in left:
                (Path(folder) / file).unlink()
            is_empty = len(left) == len(files) and (not folders or not any(Path(folder).iterdir()))
            if is_empty and folder != str(self.root):
                Path(folder).rmdir()

    def write_day(self, table: str, day: date, rows: Iterable[pa.Table]) -> PartitionFile:
        """Write a table's day under the name of its content. It counts once it is committed.

        There may be thousands of days of few rows, where the work around the writing costs as much as the writing, so
        this method does little else.
        """
        folder = self.folder(table, day)
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"day{PARTIAL}"
        part = parquet.write_parquet(partial, rows, parquet.arrow_schema_of(table))
        partial.replace(folder / f"{part.digest}.parquet")
        return part
