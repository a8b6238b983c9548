"""When a schedule is due, by the calendar with which Prefect makes the runs.

That is Prefect's copy of croniter and its rule for the nights on which the clock changes. Another calendar would agree
on all nights but those: a run that is due at 02:30 on the night that has no 02:30 would be called missed, and made
twice. What to do about a night is in nights.py.
"""

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

_CHANGE = timedelta(hours=3)  # more than any clock goes forward or back
_FIELDS = 5


def check(cron: str) -> None:
    """Raise ValueError if Prefect would not take the expression, or if it names no day.

    >>> check("30 1 * * *")
    >>> check("0 0 30 2 *")
    Traceback (most recent call last):
    ...
    ValueError: '0 0 30 2 *' is not a cron expression (failed to find next date); allowed: minute hour ...
    """
    allowed = "allowed: minute hour day month weekday, for example '30 1 * * *'"
    fields = cron.split()
    if len(fields) != _FIELDS:  # Prefect takes a sixth, for seconds, but no night needs it
        raise ValueError(f"{cron!r} is not a cron expression (it has {len(fields)} fields); {allowed}")
    if any(field.casefold() in ("r", "h") for field in fields):
        raise ValueError(f"{cron!r} is not a cron expression (it is random or hashed); {allowed}")
    library = _croniter()
    try:
        library.croniter(cron, datetime(2000, 1, 1)).get_next(datetime)
    except library.CroniterError as error:
        raise ValueError(f"{cron!r} is not a cron expression ({error}); {allowed}") from error


def last_fire(cron: str, time_zone: str, now: datetime) -> datetime:
    """Return the latest instant not after `now`, in `time_zone`.

    >>> last_fire("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC)).isoformat()
    '2026-03-29T01:30:00+01:00'
    """
    zone = ZoneInfo(time_zone)
    latest: datetime | None = None
    for local in _locals(cron, _wall(now, zone) + _CHANGE, "get_prev"):
        # Around a change of the clock, an instant that is earlier on the wall may be later in truth.
        if latest is not None and local < _wall(latest, zone) - _CHANGE:
            break
        fire = _instant(local, zone)
        if fire <= now and (latest is None or fire > latest):
            latest = fire
    if latest is None:
        raise ValueError(f"{cron!r} in {time_zone} names no instant before {now.isoformat()}")
    return latest.astimezone(zone)


def next_fires(cron: str, time_zone: str, now: datetime, count: int) -> list[datetime]:
    """Return the next instants after `now`, in `time_zone`."""
    zone = ZoneInfo(time_zone)
    fires: set[datetime] = set()  # a set, since an instant of the hour that is left out may equal a later one
    for local in _locals(cron, _wall(now, zone) - _CHANGE, "get_next"):
        if len(fires) >= count and local > _wall(sorted(fires)[count - 1], zone) + _CHANGE:
            break
        fire = _instant(local, zone)
        if fire > now:
            fires.add(fire)
    return [fire.astimezone(zone) for fire in sorted(fires)[:count]]


def _locals(cron: str, start: datetime, step: str) -> Iterator[datetime]:
    """Yield what the clock on the wall shows each time the schedule is due, beginning at `start`."""
    entries = _croniter().croniter(cron, start)
    while True:
        yield getattr(entries, step)(datetime)


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant of a time on the wall in a zone.

    A time in an hour that comes twice is in the first of the two. A time in an hour that is left out is an hour
    earlier, because Prefect reads it as if the clock had gone forward already; from Python 3.13 on, as if it had not.
    """
    folds = (0, 1) if sys.version_info < (3, 13) else (0,)
    return min(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in folds)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, microsecond=0)


@cache
def _croniter() -> ModuleType:
    """Return Prefect's own copy, loaded by its file: importing it by name would import all of Prefect, slowly."""
    prefect = importlib.util.find_spec("prefect")
    if prefect is None or prefect.origin is None:
        raise ModuleNotFoundError("Prefect is not installed; its copy of croniter is needed to read schedules")
    file = Path(prefect.origin).parent / "_vendor" / "croniter" / "croniter.py"
    spec = importlib.util.spec_from_file_location("tidewaiter_croniter", file)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{file} cannot be loaded; schedules are read by it")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
