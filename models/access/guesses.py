"""Guesses at passwords, as the ledger has them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from models.ledger import Entry, storage
from models.names import SERVER


@dataclass(frozen=True)
class Guesses:
    """Notes in the ledger that somebody tries passwords for one of `accounts`; made-up names could fill the ledger."""

    accounts: Callable[[], Collection[str]]
    note: Callable[[Entry], None]

    def __call__(self, name: str, address: str, count: int) -> None:
        """Note that there were so many wrong passwords in a row for a name, from an address."""
        if name in self.accounts():
            what = f"{count} wrong passwords in a row for {name}"
            self.note(Entry(at=storage.now(), actor=SERVER, address=address, action="write", refusal=what))
