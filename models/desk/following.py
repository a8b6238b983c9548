"""The logs are followed beside requests: what the window decides and the night selects becomes cases within seconds."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from models.decisions import DecisionLog
from models.desk.desk import Desk
from models.desk.night import Night

EVERY_S = 2.0
_PATIENCE = 15  # how many times as long it waits while something fails: a look at the night may read all that is stored
_ENDING_S = 5.0  # for a transaction to end

_log = logging.getLogger(__name__)


class Following:
    """A thread that follows both logs every `every_s` seconds, from the beginning of a `with` block to its end.

    `prepare` makes the tables if they are not there. `night` is None where it is not known whose nights to follow.
    """

    def __init__(
        self,
        desk: Desk,
        log: DecisionLog,
        night: Night | None,
        prepare: Callable[[], None],
        every_s: float = EVERY_S,
    ) -> None:
        self._prepare, self._every_s = prepare, every_s
        self._follow: dict[str, Callable[[], int]] = {"decisions": partial(desk.cases.follow, log)}
        if night is not None:
            self._follow["the night's selections"] = partial(desk.cases.follow_night, night, log)
        self._failing: dict[str, type[Exception]] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(_ENDING_S)

    def look(self) -> None:
        """Follow each log to its end; where that fails, warn once, since the next look tries again."""
        for what, follow in self._follow.items():
            try:
                self._prepare()
                follow()
            except Exception as error:  # noqa: BLE001  whatever it is, the looks go on
                if self._failing.get(what) is not type(error):
                    _log.warning("The desk does not follow %s, and tries again: %s", what, error)
                self._failing[what] = type(error)
            else:
                if self._failing.pop(what, None):
                    _log.warning("The desk follows %s again", what)

    def _run(self) -> None:
        while True:
            self.look()
            if self._ending.wait(self._every_s * (_PATIENCE if self._failing else 1)):
                return
