"""What time it is: the machine's clock in the administration's zone or, for played days, a clock that a file sets.

The window and the desk ask here. The ledger of sign-off does not: what people sign is signed at the time it is.
"""

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from features.disk import write_atomically

Now = Callable[[], datetime]


def clock(zone: str, played: Path | None = None) -> Now:
    """Return what gives the instant in an IANA zone; ValueError if the file `played` does not hold one.

    >>> clock("Asia/Seoul")().utcoffset()
    datetime.timedelta(seconds=32400)
    """
    if played is None:
        return partial(datetime.now, ZoneInfo(zone))
    now = partial(_played, played, ZoneInfo(zone))
    now()
    return now


def set_to(played: Path, at: datetime) -> None:
    """Set a played clock; it goes on from there as the machine's does."""
    write_atomically(played, lambda draft: draft.write_text(f"{at.isoformat()}\n"))


def _played(file: Path, zone: ZoneInfo) -> datetime:
    """Return the instant in the file and what has passed since it was written; legal time where it names no zone."""
    try:
        with file.open() as opened:
            text, written = opened.read(100).strip(), os.fstat(opened.fileno()).st_mtime
        at = datetime.fromisoformat(text)
    except (OSError, ValueError) as error:
        allowed = "an instant, as 2024-07-01T06:00:00"
        raise ValueError(f"the played clock {file} cannot be read ({error}); allowed: a file with {allowed}") from error
    legal = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    # Time passes by the sun, and legal time may jump meanwhile.
    return (legal.astimezone(ZoneInfo("UTC")) + timedelta(seconds=max(time.time() - written, 0.0))).astimezone(zone)
