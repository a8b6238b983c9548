"""What the page is told of versions: by the ledger, and by the documents that are stored with each."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Lock

from pydantic import ValidationError

from models.dossier import CARD, EVALUATION, Judged
from models.ledger import Book, Entry, chain, storage


class Unreadable(ValueError):
    """The documents of a version cannot be shown. The message says why."""


@dataclass(frozen=True)
class Documents:
    """Holds what a version's evidence says: its figures and verdicts, and its card in Markdown."""

    judged: Judged
    card: str


@dataclass
class Versions:
    """The versions of the registered model.

    `ledger` is followed, and lies in `table`, of which `chain` proves what was read. `numbers` are the versions that
    MLflow has, and `file` is the content of a file of a version's run, by number and path; FileNotFoundError if there
    is none.
    """

    ledger: storage.Followed
    table: storage.Table
    chain: chain.Chain
    numbers: Callable[[], Collection[int]]
    file: Callable[[int, str], bytes]
    _entries: list[Entry] = field(default_factory=list, init=False, repr=False)
    _documents: dict[tuple[int, str], Documents] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def book(self) -> Book:
        """Return what the ledger amounts to now."""
        return self.ledger.refresh()

    def history(self, number: int) -> list[Entry]:
        """Return all that was asked about a version, accepted or refused, the latest first."""
        return [entry for entry in reversed(self.entries()) if entry.version == number]

    def entries(self) -> list[Entry]:
        """Return everything in the ledger, in order; LedgerError if it is not whole."""
        with self._lock:
            self._entries += self.chain.extend(self.table.rows(self.chain.head.number))
            return list(self._entries)

    def documents(self, number: int, digest: str) -> Documents:
        """Return the documents of a version whose evidence was opened over `digest`; Unreadable if they are not whole.

        They are read once: what people sign is looked at anew when they sign, and not here.
        """
        known = self._documents.get((number, digest))
        if known is None:
            try:
                judged = Judged.model_validate_json(self.file(number, EVALUATION))
                known = Documents(judged, self.file(number, CARD).decode())
            except (FileNotFoundError, ValidationError, UnicodeDecodeError) as error:
                raise Unreadable(str(error).splitlines()[0]) from error
            self._documents[number, digest] = known
        return known
