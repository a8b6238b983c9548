"""The feature matrix of a store, kept by day and computed once.

A day's part depends on the declarations accepted that day, on what was known before it, and on the code. All of that
goes into its key; a part whose key matches is read, and any other is computed anew. So a second run computes nothing, a
new day costs only that day, and a correction recorded today leaves every earlier day alone. Each build checks the
checksums of what it reads (features/disk/checksums.py): a part or a block that is spoilt is named in the log and made
anew as well.

Days are computed span by span: a span is a year, or a month where the year has many declarations. What became known
within the span is read as it is; what became known before it is settled (features/history/preaggregated.py). So neither
memory nor the cost of a new day grows with the history, and no span waits for another.

    <folder>/2024-01-31-<key>-<crc32>.parquet      a day of the matrix
    <folder>/past/journal.json                     what each day of the store holds
    <folder>/past/2023-<digest>/                   what is settled
    <folder>/mornings/2024-02-01-<digest>/         all that was known before a day: see morning.py
"""

import fcntl
import hashlib
import io
import logging
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.code_digest import code_version
from features.disk import atomic, checksums
from features.facts import Known, asof, windows
from features.history import Block, History, change_index, preaggregated
from features.matrix.matrix import TABLES, compute, with_labels
from features.progress import Progress
from features.store import Store

# Runs pieces of work that do not depend on each other. They may be done anywhere, in any order, and more than once,
# because each writes files whose names tell what is in them.
Runner = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

SPAN_ROWS = 500_000
_log = logging.getLogger(__name__)


def one_after_another(work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterable[Any]:
    """Runner the pieces one after another, in this process."""
    return map(work, pieces)


@dataclass(frozen=True)
class Built:
    """Tells what one build did: how many days the store has, and how many of them had to be computed."""

    days: int
    computed_days: int
    computed_rows: int
    parts: tuple[Path, ...]

    def scan(self) -> pl.LazyFrame:
        """Return a scan of the identity and all features of every declaration, ordered by acceptance."""
        return pl.scan_parquet(list(self.parts))


def build(
    store: Store,
    label_delay_days: int,
    folder: Path,
    on_progress: Progress | None = None,
    span_rows: int = SPAN_ROWS,
    run: Runner = one_after_another,
) -> Built:
    """Bring the matrix of `store`, cached in `folder`, up to date. `on_progress(done, all)` counts days.

    A year with more than `span_rows` declarations is computed month by month. Only one build computes at a time;
    another waits, and then finds the work done. `run` does the work; wherever it does it, `folder` and the store have
    to be there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _build(store, label_delay_days, folder, on_progress, span_rows, run)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _build(
    store: Store, label_delay_days: int, folder: Path, on_progress: Progress | None, span_rows: int, run: Runner
) -> Built:
    journal, days = _journal(store, label_delay_days, folder)
    names = {day: f"{day.isoformat()}-{key}" for day, key in _keys(journal, days).items()}
    parts = _whole(_parts(folder, names))
    missing = [day for day in days if day not in parts]
    years = _years(journal, folder / "past", days, span_rows)
    spans = list(_spans(years, missing))
    for blocks in _to_settle(block for span in spans for block in span.settled.reaching(span.since)):
        for _ in run(partial(_settle, journal), blocks):
            pass
    done = rows = 0
    for asked, computed in run(partial(_compute, journal, folder, names), spans):
        done, rows = done + asked, rows + computed
        if on_progress:
            on_progress(done, len(missing))
    parts |= _parts(folder, {day: names[day] for day in missing})
    if not_there := [names[day] for day in days if day not in parts]:
        raise FileNotFoundError(
            f"{folder / not_there[0]}-*.parquet was computed and is not there: all who compute need this folder"
        )
    _clean(folder, set(parts.values()), years)
    return Built(len(days), len(missing), rows, tuple(parts[day] for day in days))


def _parts(folder: Path, names: Mapping[date, str]) -> dict[date, Path]:
    """Return the files of those days that are there, without looking at their bytes."""
    there = {path.stem.rpartition("-")[0]: path for path in folder.glob("*.parquet")}
    return {day: there[name] for day, name in names.items() if name in there}


def _whole(parts: Mapping[date, Path]) -> dict[date, Path]:
    """Return the files whose bytes have the checksum that their name states; the others are named in the log."""
    spoilt = set(checksums.differing({part: part.stem.rpartition("-")[2] for part in parts.values()}))
    if spoilt:
        _log.warning("%s; computed again", checksums.SpoiltError(sorted(spoilt)))
    return {day: part for day, part in parts.items() if part not in spoilt}


@dataclass(frozen=True)
class Past:
    """All that became known: what is `settled`, and the facts that entered since day `since`, from `journal`."""

    journal: change_index.Journal
    settled: preaggregated.Settled
    since: int

    def latest(self) -> Known:
        """Return the facts that are not settled yet."""
        return self.journal.known(self.since, windows.MAX_DAY)


def past(store: Store, label_delay_days: int, folder: Path, span_rows: int = SPAN_ROWS) -> Past:
    """Return what `store` says of the past, settled in `folder` up to its last span; see `build`."""
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        journal, days = _journal(store, label_delay_days, folder)
        (last,) = _spans(_years(journal, folder / "past", days, span_rows), days[-1:])
        for blocks in _to_settle(last.settled.blocks):
            for block in blocks:
                _settle(journal, block)
    return Past(journal, last.settled, last.block.start)


@dataclass(frozen=True)
class Before:
    """All that was known before a day: facts settled in one block, what registers told (`none`), a digest of both."""

    settled: Block
    none: Known
    digest: str


def before(store: Store, label_delay_days: int, folder: Path, day: date) -> Before:
    """Return what `store` says of the time before `day`; it is kept in `folder`, beside the matrix.

    What is there of another day, or made of other facts, is removed; a process that has it open keeps it.
    """
    end, mornings = change_index.number(day), folder / "mornings"
    start = end - asof.LOOK_BACK_DAYS - 1
    mornings.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        journal, _ = _journal(store, label_delay_days, folder)
        digest = _digest(journal, start, end, f"{day} {journal.told_digest(end)}")
        block = Block(start, end, mornings / f"{day}-{digest}")
        if not _is_settled(block):
            _settle(journal, block)
        for stale in set(mornings.iterdir()) - {block.folder}:
            shutil.rmtree(stale)
    return Before(block, journal.known(end, end), digest)


def _journal(store: Store, label_delay_days: int, folder: Path) -> tuple[change_index.Journal, list[date]]:
    """Return the journal, and the days whose declarations ask; ValueError where there is no declaration."""
    journal = change_index.Journal.read(store, label_delay_days, code_version(), folder / "past" / "journal.json")
    # A declaration stays on the day of its first version, even where a correction has moved it to another.
    days = sorted({*store.days(), *store.rows("declarations_superseded")})
    if not days:
        raise ValueError(f"{store.root}: no declarations to compute features for; ingest some first")
    return journal, days


@dataclass(frozen=True)
class _Span:
    """A year or a month, the days in it whose features are asked for, and everything before it."""

    block: Block
    asked: Sequence[date]
    settled: preaggregated.Settled

    @property
    def since(self) -> int:
        """Return the first day of the look-back."""
        return self.block.start - asof.LOOK_BACK_DAYS


def _spans(years: Sequence[Block], missing: Sequence[date]) -> Iterator[_Span]:
    for place, year in enumerate(years):
        for block in year.months or (year,):
            asked = [day for day in missing if block.start <= change_index.number(day) < block.end]
            if asked:
                before = tuple(each for each in (*years[:place], *year.months) if each.end <= block.start)
                yield _Span(block, asked, preaggregated.Settled(before))


def _to_settle(needed: Iterable[Block]) -> tuple[Sequence[Block], Sequence[Block]]:
    """Return the needed blocks that are not settled yet, in two groups, of which the first comes first.

    The first holds months, and years without months; the second holds the years that are sums of their months.
    """
    absent = [block for block in dict.fromkeys(needed) if not _is_settled(block)]
    parts = dict.fromkeys(part for block in absent for part in block.months or (block,) if not _is_settled(part))
    return list(parts), [block for block in absent if block.months]


def _is_settled(block: Block) -> bool:
    """Tell whether a block is there as it was written; a spoilt one is named in the log and removed."""
    if not block.folder.exists():
        return False
    try:
        checksums.check(block.folder)
    except checksums.SpoiltError as error:
        _log.warning("%s; summed up again", error)
        shutil.rmtree(block.folder)
        return False
    return True


def _settle(journal: change_index.Journal, block: Block) -> None:
    block.make(TABLES, journal.known)


def _compute(journal: change_index.Journal, folder: Path, names: Mapping[date, str], span: _Span) -> tuple[int, int]:
    """Write the parts of a span's days, and return how many days and declarations they have."""
    history = History(journal.known(span.block.start, span.block.end), span.settled)
    rows = 0
    for chunk in change_index.chunks(span.asked, journal.store.rows("declarations")):
        matrix = compute(history.asked_on([change_index.number(day) for day in chunk]))
        contents = {names[day]: _parquet(matrix.filter(pl.col("accepted_at").dt.date() == day)) for day in chunk}
        files = {folder / f"{name}-{checksums.of(content)}.parquet": content for name, content in contents.items()}
        atomic.write_each_atomically({path: partial(_write, content) for path, content in files.items()})
        rows += matrix.height
    return len(span.asked), rows


def _parquet(part: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    part.write_parquet(file)
    return file.getvalue()


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _clean(folder: Path, parts: set[Path], years: Sequence[Block]) -> None:
    """Remove files that no key names any more, and months that have become a year."""
    for stale in set(folder.glob("*.parquet*")) - parts:
        stale.unlink()
    settled = {block.folder for block in (*years, *years[-1].months)}
    for stale in set((folder / "past").glob("*-*")) - settled:
        shutil.rmtree(stale)


def dataset(store: Store, built: Built, label_delay_days: int, as_of: date) -> pl.LazyFrame:
    """Return the features of every declaration with its label as known on `as_of`; null where there was no label.

    Nothing is read yet. Few callers want all of it: it may be larger than memory.
    """
    return with_labels(built.scan(), outcomes(store, label_delay_days), as_of)


def last_known_day(store: Store, label_delay_days: int) -> date:
    """Return the latest day of which the store knows anything: an acceptance, or an outcome."""
    found: date | None = outcomes(store, label_delay_days).select(pl.col("known_on").max()).collect().item()
    return max(found or store.days()[-1], store.days()[-1])


def outcomes(store: Store, label_delay_days: int) -> pl.LazyFrame:
    """Return every version of the stored outcomes, with `known_on` and `replaced_on` (see features.facts.asof)."""
    return asof.outcome_versions(store.scan("outcomes"), store.scan("outcomes_superseded"), label_delay_days)


def _keys(journal: change_index.Journal, days: Sequence[date]) -> dict[date, str]:
    """Return one key for each day.

    It covers the code, the day's own rows, everything known in the look-back before it, and all registers.
    """
    own = journal.digests["rows"]
    return {
        day: _digest(
            journal,
            change_index.number(day) - asof.LOOK_BACK_DAYS - 1,
            change_index.number(day),
            f"{own.get(change_index.number(day), 0)} {journal.told_digest(change_index.number(day))}",
        )
        for day in days
    }


def _digest(journal: change_index.Journal, after: int, until: int, also: str = "") -> str:
    """Return a digest of the code, of the facts that entered after day `after` and not after `until`, and of `also`."""
    entered = [
        journal.digests[frame].get(day, 0) for frame in ("declared", "found") for day in range(after + 1, until + 1)
    ]
    text = f"{code_version()} {also} ".encode() + np.array(entered, np.uint64).tobytes()
    return hashlib.sha256(text).hexdigest()[:16]


def _years(journal: change_index.Journal, folder: Path, days: Sequence[date], span_rows: int) -> list[Block]:
    """Return a block for each calendar year of `days`; one with more than `span_rows` declarations has months."""
    rows = journal.store.rows("declarations")
    years = []
    for year in range(days[0].year, days[-1].year + 1):
        months: tuple[Block, ...] = ()
        if sum(count for day, count in rows.items() if day.year == year) > span_rows:
            firsts = [date(year, month, 1) for month in range(1, 13)]
            ends = [*firsts[1:], date(year + 1, 1, 1)]
            months = tuple(
                _block(journal, folder, f"{first:%Y-%m}", first, end) for first, end in zip(firsts, ends, strict=True)
            )
        years.append(_block(journal, folder, str(year), date(year, 1, 1), date(year + 1, 1, 1), months))
    return years


def _block(
    journal: change_index.Journal, folder: Path, name: str, first: date, end: date, months: tuple[Block, ...] = ()
) -> Block:
    digest = _digest(journal, change_index.number(first), change_index.number(end))
    return Block(change_index.number(first), change_index.number(end), folder / f"{name}-{digest}", months)
