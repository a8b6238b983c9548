"""The local administrator, who comes by a password past the identity provider, for when that is away.

A browser brings the password with every request, so it is told once an hour for each address.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

EVERY_S = 3600.0
_MOST = 1_000  # addresses that are remembered


@dataclass
class BreakGlass:
    """Tells from which address the local administrator has signed in; `clock` counts seconds from any moment."""

    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _told: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __call__(self, address: str) -> None:
        """Tell that the local administrator has signed in by a password from this address."""
        with self._lock:
            if self.clock() - self._told.get(address, -EVERY_S) < EVERY_S:
                return
        self.tell(address)  # before it counts as told: what cannot be told now is told, or refused, the next time too
        with self._lock:
            if len(self._told) >= _MOST:
                self._told.clear()
            self._told[address] = self.clock()
