"""The ledger as a trace reads it: who signed, when which version was in force, and how far decisions were sealed.

The order of its rows is what proves which came first. The clocks of window and ledger may differ, and on played days
they do, so a moment of the one is never compared with one of the other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import httpx
from sqlalchemy.exc import SQLAlchemyError

from models.ledger import Book, Entry, Keys, LedgerError, chain, reading, storage
from models.policy import Signoff
from models.trace.links import Broken, Link, NotChecked, judged

# The window asks a champion that was replaced until the new one's ground is made, which takes minutes at most.
_LAG = timedelta(hours=1)


@dataclass(frozen=True)
class Seal:
    """Says that the log of decisions had this hash at this number when the row was written."""

    number: int
    hash: str
    at: datetime


@dataclass(frozen=True)
class Reign:
    """A time in which a version was in force, in the ledger's clock; `until` is None if no row ends it."""

    version: int
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Ledger:
    """Holds what a whole ledger says."""

    book: Book
    seals: tuple[Seal, ...]
    reigns: tuple[Reign, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry], policy: Signoff) -> Self:
        """Return what entries amount to; LedgerError if one was accepted against the rules."""
        book, seals, reigns = Book(policy), [], []
        champion: int | None = None
        since: datetime | None = None
        for entry in entries:
            book.apply(entry)
            if entry.action == "decisions" and entry.is_accepted:
                seals.append(Seal(int(entry.reason), entry.digest or "", entry.at))
            if book.champion != champion:
                if champion is not None and since is not None:
                    reigns.append(Reign(champion, since, entry.at))
                champion, since = book.champion, entry.at
        if champion is not None and since is not None:
            reigns.append(Reign(champion, since, None))
        return cls(book, tuple(seals), tuple(reigns))

    def around(self, number: int) -> tuple[Seal | None, Seal | None]:
        """Return the last seal before a decision, by its number in the log, and the first that covers it."""
        before = [seal for seal in self.seals if seal.number < number]
        return (before[-1] if before else None, next((seal for seal in self.seals if seal.number >= number), None))

    def reigned(self, version: int, since: datetime | None, until: datetime | None) -> bool:
        """Say whether a version was in force at some time from `since` to `until`; None: from the start, to the end.

        One that was replaced up to _LAG before `since` counts, too.
        """
        return any(
            reign.version == version
            and (until is None or reign.since <= until)
            and (since is None or reign.until is None or reign.until + _LAG >= since)
            for reign in self.reigns
        )

    def told(self, version: int) -> str:
        """Return in words when a version was in force."""
        times = [
            f"from {reign.since:%Y-%m-%d %H:%M}" + (f" to {reign.until:%Y-%m-%d %H:%M}" if reign.until else " on")
            for reign in self.reigns
            if reign.version == version
        ]
        return " and ".join(times)


def read(tracking_uri: str, keys: Keys, policy: Signoff) -> tuple[Link, Ledger | None]:
    """Return whether the ledger is whole and reaches as far as it was noted, and the ledger if it is."""

    def entries() -> list[Entry]:
        if not keys.exist():
            raise NotChecked("no sign-off server was ever started here")
        noted = chain.Head.model_validate_json(keys.head_file.read_bytes())
        rows = reading.rows(tracking_uri)
        chain.check_head(rows, noted)
        return chain.Chain(keys.public_key).extend(rows)

    return whole(entries, policy)


def whole(entries: Callable[[], Iterable[Entry]], policy: Signoff) -> tuple[Link, Ledger | None]:
    """Return whether `entries` gives a whole ledger, and the ledger if it does."""
    found: list[Ledger] = []

    def check() -> None:
        try:
            found.append(Ledger.of(entries(), policy))
        except LedgerError as error:
            raise Broken(str(error)) from error
        except (OSError, ValueError, httpx.HTTPError, SQLAlchemyError, storage.NotSigned) as error:
            raise NotChecked(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error

    says = "The ledger is whole: its chain, its rules, the signature of its head, and its length."
    return judged("ledger", "", says, check), found[0] if found else None
