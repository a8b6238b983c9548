"""Reads a source's files again into a store that takes the place of the present one.

A change in how files are read, or in which currency amounts are, changes what is stored of files that were read before,
and a batch that is known is not read twice. So all files are read anew, beside the store, and the new store takes its
place once it is whole: if a file is refused or the process dies, the store is as it was. features/store/versioning.py
keeps the version before.
"""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

from features.disk import PARTIAL, atomic
from features.ingestion.batches import BatchReport, IngestReport, ingest
from features.reading import Source
from features.store import Store
from features.validation import Limits


def reread(
    source: Source,
    store: Store,
    limits: Limits,
    on_progress: Callable[[str, int], None] | None = None,
    on_batch: Callable[[BatchReport], None] | None = None,
    arrived_on: date | None = None,
) -> IngestReport:
    """Bring every batch of `source` into a new store in the place of `store`; see `ingest` for arguments and errors.

    Raises ValueError if `source` has fewer files than were read before: what only the store has would be lost.
    """
    anew, before = _beside(store, "anew"), _beside(store, "before")
    if before.exists() and not store.root.exists():  # killed between the two renames below
        before.rename(store.root)
    for left in (anew, before):
        shutil.rmtree(left, ignore_errors=True)
    names = [batch.name for batch in source.batches()]
    lacking = sorted({record.file for record in store.batches} - set(names))
    if lacking:
        raise ValueError(
            f"{store.root} holds {len(lacking)} file(s) that are not among those to be read again, {lacking[0]} the "
            "first; allowed: all that were read before, or more"
        )
    with store.locked():  # no other process ingests into it meanwhile
        report = ingest(source, Store(anew), limits, on_progress, on_batch, arrived_on)
        store.root.rename(before)
        anew.rename(store.root)
        atomic.flush([store.root.parent])
    shutil.rmtree(before)
    return report


def _beside(store: Store, what: str) -> Path:
    """Return a path beside the store that no version of the data includes."""
    return store.root.with_name(f"{store.root.name}-{what}{PARTIAL}")
