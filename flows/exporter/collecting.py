"""Looks at an installation again and again, and keeps what was seen for whoever asks.

What cannot be read leaves its series out and says so (`tidewaiter_figures_readable`): an old figure would look fine.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from flows.exporter.families import family

EVERY_S = 30.0

_log = logging.getLogger(__name__)

Read = Callable[[], Iterable[Metric]]


class Figures(Collector):
    """Keeps what was seen last of each group; `groups` are the functions that read them."""

    def __init__(self, groups: Mapping[str, Read]) -> None:
        self._groups = groups
        self._seen: dict[str, tuple[datetime, list[Metric]]] = {}
        self._why: dict[str, str] = {}
        self._ending = threading.Event()

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        threading.Thread(target=self._run, name="figures", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()

    def look(self) -> None:
        """Read all groups once."""
        for name, read in self._groups.items():
            try:
                self._seen[name] = datetime.now(UTC), list(read())
                self._why.pop(name, None)
            except Exception as error:  # noqa: BLE001  one group that cannot be read must not hide the others
                self._seen.pop(name, None)
                why = f"{type(error).__name__}: {error}"
                if why != self._why.get(name):
                    _log.warning("The figures of %s cannot be read: %s", name, why)
                self._why[name] = why

    def collect(self) -> Iterator[Metric]:
        """Yield all families that were seen, and of each group whether and when it was."""
        seen = dict(self._seen)
        for _, families in seen.values():
            yield from families
        yield family(
            "figures_readable",
            "Whether a group of these figures could be read the last time.",
            ("group",),
            [((name,), float(name in seen)) for name in self._groups],
        )
        yield family(
            "figures_timestamp_seconds",
            "When a group was read.",
            ("group",),
            [((name,), at.timestamp()) for name, (at, _) in seen.items()],
        )

    def _run(self) -> None:
        while not self._ending.is_set():
            self.look()
            self._ending.wait(EVERY_S)
