"""What an auditor asks: does the whole history hold, does MLflow show what it says, and who did what to a version?

Faults are reported and never corrected: that is the work of flows/promote.py, and of people.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.exceptions import MlflowException
from pydantic import BaseModel, ConfigDict

from models.ledger import Book, Case, Keys, reading
from models.ledger.chain import Chain, Entry, Head, LedgerError, Row, check_head
from models.ledger.storage import now
from models.names import CHAMPION, MODEL, PENDING, PREVIOUS, SIGNOFF
from models.policy import Signoff
from models.registry import Registry
from models.signoff import champion


class Audit(BaseModel):
    """Tells what was found: `faults` are sentences, none if all is well; `chain_s` covers ledger and rules alone."""

    model_config = ConfigDict(frozen=True)

    entries: int
    head: Head | None
    chain_s: float
    champion: int | None
    faults: tuple[str, ...]


def verify(registry: Registry, keys: Keys, policy: Signoff, head: Head | None = None) -> Audit:
    """Prove the ledger by the keys and by a `head` taken earlier, and compare MLflow and the stored evidence with it.

    Raises ValueError if the keys are not whole.
    """
    began = time.perf_counter()
    rows: list[Row] = []
    try:
        # The server notes the head after each row, so what is noted before the rows are read must be among them.
        noted = Head.model_validate_json(keys.head_file.read_bytes())
        rows = reading.rows(registry.tracking_uri)
        for each in (noted, head):
            check_head(rows, each)
        book = reading.replay(rows, keys.public_key, policy)
    except LedgerError as error:
        elapsed = time.perf_counter() - began
        return Audit(entries=len(rows), head=None, chain_s=elapsed, champion=None, faults=(str(error),))
    chain_s = time.perf_counter() - began
    faults = (*_registry_faults(registry, book, now()), *_evidence_faults(registry, book, now()))
    return Audit(entries=len(rows), head=_head(rows), chain_s=chain_s, champion=book.champion, faults=faults)


def entries(tracking_uri: str, keys: Keys) -> list[Entry]:
    """Return everything in the ledger; LedgerError if it is not whole."""
    return Chain(keys.public_key).extend(reading.rows(tracking_uri))


def head(tracking_uri: str, keys: Keys) -> Head:
    """Return the last row's number and hash, to be kept elsewhere; LedgerError if the ledger is not whole."""
    rows = reading.rows(tracking_uri)
    Chain(keys.public_key).extend(rows)
    return _head(rows)


def _head(rows: list[Row]) -> Head:
    return Head(number=rows[-1].number, hash=rows[-1].hash) if rows else Head(number=0, hash="0" * 64)


def _registry_faults(registry: Registry, book: Book, at: datetime) -> Iterator[str]:
    """Yield aliases and tags, which MLflow's pages show, that are not what the ledger says."""
    found = registry.client.search_registered_models(f"name = '{MODEL}'")
    aliases = found[0].aliases if found else {}
    for alias, version in ((CHAMPION, book.champion), (PREVIOUS, book.previous)):
        shown = int(aliases[alias]) if alias in aliases else None  # a text or a number, depending on the kind of store
        if shown != version:
            yield f"alias {alias} is {_version(shown)}, by the ledger it is {_version(version)}"
    versions = registry.client.search_model_versions(f"name = '{MODEL}'")
    tags = {int(version.version): version.tags for version in versions}
    for number in book.cases.keys() - tags.keys():
        yield f"version {number} is in the ledger and not in MLflow: it was deleted"
    for number, shown_tags in tags.items():
        for key in sorted(key for key in shown_tags if key.startswith(SIGNOFF)):
            allowed = _tallies(book.cases.get(number), key, at)
            if shown_tags[key] not in allowed:
                yield f"tag {key} of version {number} is {shown_tags[key]!r}, by the ledger it is {allowed[0]!r}"


def _tallies(case: Case | None, key: str, at: datetime) -> list[str]:
    """Return what a tag may say: the present state, and that before signatures ran out, until the tag shows it."""
    if case is None or key not in case.tags(at):
        return [PENDING]
    last = max((signature.at for signature in case.approvals), default=at)
    return [case.tags(moment)[key] for moment in (at, last)]


def _evidence_faults(registry: Registry, book: Book, at: datetime) -> Iterator[str]:
    """Yield faults of the stored artifacts of versions that decide, or may come to: they must be what was signed."""
    numbers = {book.champion, book.previous, *(case.version for case in book.approved(at))} - {None}
    for case in (book.cases[number] for number in sorted(filter(None, numbers))):
        with TemporaryDirectory(prefix="tidewaiter-") as folder:
            try:
                champion.fetch_signed(registry, case, Path(folder))
            except (MlflowException, OSError, ValueError) as error:
                yield f"evidence of version {case.version}: {str(error).splitlines()[0]}"


def _version(number: int | None) -> str:
    return "nowhere" if number is None else f"version {number}"
