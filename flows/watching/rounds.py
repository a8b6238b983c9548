"""A process that does the same again and again until it is asked to end, whatever goes wrong in one round."""

import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from types import FrameType


def run(do: Callable[[], object], every_s: float, cannot: str, stopping: Event) -> None:
    """Do it every so many seconds until `stopping` is set; why a round failed is said once, after `cannot`."""
    last = ""
    while True:
        try:
            do()
            last = ""
        except Exception as error:  # noqa: BLE001  whatever it is, there is a next round, and `up` goes on
            if (why := f"{type(error).__name__}: {error}") != last:
                say(f"{cannot}: {why}")
                last = why
        if stopping.wait(every_s):
            return


def asked_to_stop() -> Event:
    """Return what SIGTERM and Ctrl-C set; a round under way is ended first."""
    stopping = Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    return stopping


def say(text: str) -> None:
    """Write a line with the time into the log of the process."""
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}\n")
