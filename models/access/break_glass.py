"""The local administrator, who comes by a password past the identity provider, for when that is away.

A browser brings the password with every request, so it is told once an hour for each address.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from models.access.accounts import ADMINISTRATOR_ACCOUNT
from models.ledger import Entry, storage

EVERY_S = 3600.0
_MOST = 1_000  # addresses that are remembered


def _no_ledger(entry: Entry) -> None:
    """Note nothing, at a server that writes no ledger."""


@dataclass
class BreakGlass:
    """Tells from which address the local administrator has signed in at `server`, by alarm and in the ledger.

    `clock` counts seconds from any moment.
    """

    server: str
    alarm: Callable[[str], None]
    note: Callable[[Entry], None] = _no_ledger
    clock: Callable[[], float] = time.monotonic
    _told: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __call__(self, address: str) -> None:
        """Tell that the local administrator has signed in by a password from this address.

        What cannot be noted raises as `note` does, and is told anew at the next password.
        """
        with self._lock:
            if self.clock() - self._told.get(address, -EVERY_S) < EVERY_S:
                return
            if len(self._told) >= _MOST:
                self._told.clear()
            self._tell(address)
            self._told[address] = self.clock()

    def _tell(self, address: str) -> None:
        what = f"signed in at {self.server} by a password, past the identity provider"
        self.alarm(f"{ADMINISTRATOR_ACCOUNT} {what}, from {address}")  # also while the ledger takes no entry
        self.note(Entry(at=storage.now(), actor=ADMINISTRATOR_ACCOUNT, address=address, action="account", reason=what))
