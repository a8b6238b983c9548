"""What a server remembers of the versions that it has looked at, so that looking each minute stays cheap.

Nothing here decides: the state of a version follows from ledger and store. All of it is forgotten when the server ends.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from models.access import Refused
from models.server.admission import Unjudged
from models.server.stored import Admission

THOROUGH_EVERY_S = 3600.0  # for looks that nobody asked for; before a signature or promotion all files are looked at
AGAIN_AFTER_S = 600.0  # for a judgement that did not come to its end


@dataclass
class Looks:
    """Keeps what is remembered, by the number of the version."""

    clock: Callable[[], float] = time.monotonic
    _judged: dict[int, Admission] = field(default_factory=dict)
    _unjudged: dict[int, tuple[float, str]] = field(default_factory=dict)
    _thorough: dict[int, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def admit(self, number: int, judge: Callable[[], Admission]) -> None:
        """Have a version judged, once, since it cannot be written any more. Refused if it may not be opened."""
        with self._lock:
            if number not in self._judged:
                self._judged[number] = self._judge(number, judge)
        if faults := self._judged[number].faults:
            raise Refused(f"version {number} is not opened: {'; '.join(faults)}")

    def admitted(self, number: int) -> Admission:
        """Return the judgement of a version that may be opened."""
        return self._judged[number]

    def is_due(self, number: int) -> bool:
        """Whether all files of a version are to be looked at again, though nobody asked."""
        return self.clock() - self._thorough.get(number, -THOROUGH_EVERY_S) >= THOROUGH_EVERY_S

    def was_thorough(self, number: int) -> None:
        """Note that all files were looked at just now."""
        self._thorough[number] = self.clock()

    def _judge(self, number: int, judge: Callable[[], Admission]) -> Admission:
        since, why = self._unjudged.get(number, (-AGAIN_AFTER_S, ""))
        if self.clock() - since >= AGAIN_AFTER_S:
            try:
                return judge()
            except Unjudged as error:
                since, why = self._unjudged[number] = (self.clock(), str(error))
        raise Refused(f"version {number} is not opened yet, and is judged again after a while: {why}", 503)
