"""Alarms of a process, in a file from which others learn of them: each reason, and when it was last told.

It is a file because the database may be what the alarm is about.
"""

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from features.disk import write_atomically
from models.notices.event import OPERATOR, Event, Found, Pages, digest, plain

ALARMS = "alarms.json"  # of the window, in its folder
# Of MLflow's server, Prefect's and the window, in the folder of sign-off: the local administrator came past the
# identity provider.
PAST_PROVIDER, PAST_PROVIDER_TO_RUNS = "past-provider.json", "past-provider-to-runs.json"
PAST_PROVIDER_TO_WINDOW = "past-provider-to-window.json"
MOST = 50  # reasons that are kept, the latest
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Alarms:
    """Keeps alarms of one kind in a file. To raise one, call it with a sentence; it logs it, and never fails."""

    file: Path
    now: Callable[[], datetime] = _now
    kind: str = "fallback"
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __call__(self, why: str) -> None:
        _log.error("ALARM: %s", why)
        with self._lock, suppress(OSError):
            told = {**self._read(), why: _text(self.now())}
            kept = dict(sorted(told.items(), key=lambda each: each[1])[-MOST:])
            write_atomically(self.file, lambda draft: draft.write_text(json.dumps(kept, indent=1), "utf-8"))

    def _read(self) -> dict[str, str]:
        """Return when each reason was last told; what is no such file is as none."""
        try:
            return {str(why): str(at) for why, at in json.loads(self.file.read_text("utf-8")).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def look(self, pages: Pages, cursor: str | None, now: datetime) -> Found:
        """Return what was told since `cursor`; the same reason is an event at most once an hour."""
        told = self._read()
        last = max([*told.values(), cursor or _text(now)])
        fresh = [(why, at) for why, at in told.items() if cursor is not None and at > cursor]
        return Found([_event(self.kind, why, datetime.fromisoformat(at), pages) for why, at in fresh], last)


def _text(at: datetime) -> str:
    """Return an instant as text that sorts as instants do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _event(kind: str, why: str, at: datetime, pages: Pages) -> Event:
    key = f"{kind}/{digest(why)}/{at:%Y-%m-%dT%H}"
    return Event(kind, key, at, pages.of(kind), {"why": plain(why)}, role=OPERATOR)
