"""The feature matrix of a store, kept by day and computed once.

A day's part depends on the declarations accepted that day, on what was known before it, and on the code. All of that
goes into its key; a part whose key matches is read, any other is computed anew. So a second run computes nothing, a new
day costs that day, and a correction recorded today leaves every earlier day alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import polars as pl

from features import history as past
from features.asof import LOOK_BACK_DAYS, outcome_versions
from features.atomic import write_each_atomically
from features.matrix import compute, with_labels
from features.store import Store
from features.windows import Ints

Progress = Callable[[int, int], None]

_EPOCH = date(1970, 1, 1)
_CHUNK_ROWS = 500_000  # computed at a time when there are many: bounds memory, and a crash loses one chunk


@dataclass(frozen=True)
class Built:
    """What one build did: days in the store, and how many of them had to be computed."""

    days: int
    computed_days: int
    computed_rows: int
    parts: tuple[Path, ...]

    def scan(self) -> pl.LazyFrame:
        """Identity and all features of every declaration, ordered by acceptance."""
        return pl.scan_parquet(list(self.parts))


def build(store: Store, label_delay_days: int, folder: Path, on_progress: Progress | None = None) -> Built:
    """Bring the matrix of `store`, cached in `folder`, up to date. `on_progress(done, all)` counts days."""
    # A declaration stays on the day of its first version, even where a correction has moved it to another.
    days = sorted({*store.days(), *store.rows("declarations_superseded")})
    if not days:
        raise ValueError(f"{store.root}: no declarations to compute features for; ingest some first")
    folder.mkdir(parents=True, exist_ok=True)
    keys = _keys(_history(store, label_delay_days, days[0], days[-1]), days)
    parts = {day: folder / f"{day.isoformat()}-{key}.parquet" for day, key in keys.items()}
    missing = [day for day in days if not parts[day].exists()]
    done = rows = 0
    for chunk in _chunks(missing, store.rows("declarations")):
        history = _history(store, label_delay_days, chunk[0], chunk[-1])
        matrix = compute(past.narrowed(history, [_number(day) for day in chunk]))
        rows += matrix.height
        by_day = {day: matrix.filter(pl.col("accepted_at").dt.date() == day) for day in chunk}
        write_each_atomically({parts[day]: part.write_parquet for day, part in by_day.items()})
        done += len(chunk)
        if on_progress:
            on_progress(done, len(missing))
    for stale in set(folder.iterdir()) - set(parts.values()):
        stale.unlink()
    return Built(len(days), len(missing), rows, tuple(parts.values()))


def dataset(store: Store, built: Built, label_delay_days: int, as_of: date) -> pl.DataFrame:
    """Features of every declaration with its label as known on `as_of`; label columns are null where none was."""
    return with_labels(built.scan(), _outcomes(store, label_delay_days), as_of)


def last_known_day(store: Store, label_delay_days: int) -> date:
    """The latest day of which the store knows anything: an acceptance, or an outcome."""
    found: date | None = _outcomes(store, label_delay_days).select(pl.col("known_on").max()).collect().item()
    return max(found or store.days()[-1], store.days()[-1])


@cache
def code_version() -> str:
    """SHA-256 over the sources that decide a feature's value."""
    here = Path(__file__).parent
    modules = [here / f"{name}.py" for name in ("asof", "history", "matrix", "windows")]
    sources = sorted([*here.glob("families/*.py"), *modules])
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _history(store: Store, label_delay_days: int, since: date, until: date) -> past.History:
    """What declarations accepted from `since` to `until` look into; with them, all in the look-back are queries.

    Superseded versions of any day: a correction may have moved a declaration out of the span, or into it.
    """
    span = (since - timedelta(days=LOOK_BACK_DAYS), until)
    scans = (store.scan(table, *(() if table.endswith("_superseded") else span)) for table in past.SOURCES)
    return past.build(*scans, label_delay_days=label_delay_days)


def _outcomes(store: Store, label_delay_days: int) -> pl.LazyFrame:
    return outcome_versions(store.scan("outcomes"), store.scan("outcomes_superseded"), label_delay_days)


def _keys(history: past.History, days: Sequence[date]) -> dict[date, str]:
    """One key a day: the code, the day's own rows, and everything known in the look-back before it."""
    own = _digests(history.rows, history.rows["day"].to_numpy())
    declared = _digests(history.declared, history.declared["enter"].to_numpy())
    found = _digests(history.found, history.found["enter"].to_numpy())
    keys = {}
    for day in days:
        number = _number(day)
        known = [(declared.get(n, 0), found.get(n, 0)) for n in range(number - LOOK_BACK_DAYS, number + 1)]
        keys[day] = hashlib.sha256(f"{code_version()} {own.get(number, 0)} {known}".encode()).hexdigest()[:16]
    return keys


def _digests(frame: pl.DataFrame, group: Ints) -> dict[int, int]:
    """Order-free digest of a frame's rows by `group`. What later replaces a row is no part of it."""
    values = frame.drop("replaced", "replaced_on", "source_file", "source_line", strict=False)
    hashed = pl.DataFrame({"group": group, "digest": values.hash_rows(seed=1)})
    return dict(hashed.group_by("group").agg(pl.col("digest").sum()).iter_rows())


def _chunks(days: Sequence[date], rows: Mapping[date, int]) -> Iterator[list[date]]:
    chunk: list[date] = []
    for day in days:
        chunk.append(day)
        if sum(rows.get(each, 0) for each in chunk) >= _CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _number(day: date) -> int:
    return (day - _EPOCH).days
