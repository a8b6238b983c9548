"""The local administrator, who comes by a password past the identity provider: that is told, in the ledger and the log.

It is for when the provider is away. A browser brings the password with every request, so it is told once an hour for
each address.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from models.access import accounts
from models.ledger import Entry, storage

EVERY_S = 3600.0
_MOST = 1_000
_log = logging.getLogger(__name__)


@dataclass
class BreakGlass:
    """Tells of the local administrator, by `note` in the ledger; `clock` counts seconds from any moment."""

    note: Callable[[Entry], None]
    clock: Callable[[], float] = time.monotonic
    _told: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __call__(self, address: str) -> None:
        """Tell that the local administrator has signed in by a password from this address."""
        with self._lock:
            if self.clock() - self._told.get(address, -EVERY_S) < EVERY_S:
                return
            if len(self._told) >= _MOST:
                self._told.clear()
            self._told[address] = self.clock()
        who, what = accounts.ADMINISTRATOR_ACCOUNT, "signed in by a password, past the identity provider"
        _log.warning("%s %s, from %s", who, what, address)
        self.note(Entry(at=storage.now(), actor=who, address=address, action="account", reason=what))
