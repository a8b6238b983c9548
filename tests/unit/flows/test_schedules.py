"""The product and Prefect agree about when a night is due, on the nights when the clock changes as on any other."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows import schedules
from flows.host import status
from flows.servers import prefect_api
from flows.watching.nights import decide

SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "America/Santiago",  # at midnight
    "Africa/Casablanca",  # back for Ramadan, and forward again
    "Asia/Seoul",  # never
)
NIGHTLY = ("30 2 * * *", "0 0 * * *", "15 1-3 * * *", "45 2 * * 0", "30 1 1,15 * 0")


@cache
def of_prefect(cron, zone):
    """Every instant of two years, as Prefect's server makes them, a quarter at a time: it makes no more than 1,000."""
    found = set()
    start = SINCE - timedelta(days=8)
    while start < UNTIL + timedelta(days=8):
        end = start + timedelta(days=92)
        made = asyncio.run(CronSchedule(cron=cron, timezone=zone).get_dates(start=start, end=end))
        found |= {datetime.fromtimestamp(each.timestamp(), UTC) for each in made}
        start = end
    return sorted(found)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", NIGHTLY)
def test_two_years_of_nights_are_due_when_prefect_makes_them(cron, zone):
    made = of_prefect(cron, zone)
    now, found = SINCE, []
    while now < UNTIL:
        fires = schedules.next_fires(cron, zone, now, 40)
        found += [fire.astimezone(UTC) for fire in fires]
        now = found[-1]
    assert [fire for fire in found if fire <= UNTIL] == [fire for fire in made if SINCE < fire <= UNTIL]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["30 2 * * *", "15 1-3 * * *"])
def test_the_latest_night_is_the_one_that_prefect_made_at_any_hour_around_a_change(cron, zone):
    made = of_prefect(cron, zone)
    for day in changes(zone):
        for quarter in range(-100, 200):
            now = day + timedelta(minutes=15 * quarter)
            # In UTC: across zones no instant equals one of an hour that comes twice.
            latest = schedules.last_fire(cron, zone, now).astimezone(UTC)
            assert latest == max(fire for fire in made if fire <= now), now


def changes(zone):
    """Days of two years on which the offset is not what it was the day before."""
    days = [SINCE + timedelta(days=day) for day in range((UNTIL - SINCE).days)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [day for day, before, now in zip(days[1:], offsets, offsets[1:], strict=False) if before != now]


def test_each_zone_but_one_changes_its_clock():
    assert [len(changes(zone)) for zone in ZONES] == [4, 4, 4, 4, 4, 0]


@pytest.mark.parametrize("zone", ZONES)
def test_the_night_of_a_change_is_neither_missed_nor_made_twice(zone):
    created = SINCE - timedelta(days=30)
    schedule = prefect_api.Schedule("30 2 * * *", zone, True)
    nightly = prefect_api.Deployment(
        "x", "retrain/nightly", created, False, (schedule,), frozenset({prefect_api.NIGHTLY})
    )
    for day in changes(zone):
        now = day + timedelta(hours=18)
        runs = [ended(fire) for fire in of_prefect("30 2 * * *", zone) if now - timedelta(days=5) < fire <= now]
        decision = decide(runs, schedules.last_fire("30 2 * * *", zone, now), created, now)
        assert (decision.missed_at, decision.create) == (None, False)
        assert status.last_night(nightly, runs, now).is_ok
        assert not status.last_night(nightly, runs[:-1], now).is_ok


def ended(at):
    return prefect_api.Run("r", "COMPLETED", "Completed", "", at, at, at + timedelta(seconds=4), at, True, frozenset())


def test_prefect_need_not_be_imported_for_it():
    code = (
        "import sys; from datetime import UTC, datetime; from flows import schedules\n"
        "schedules.last_fire('30 2 * * *', 'Europe/Berlin', datetime.now(UTC))\n"
        "sys.exit(sum(name.partition('.')[0] == 'prefect' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("cron", ["at night", "0 30 1 * * *", "99 1 * * *", "R 1 * * *", "H 1 * * *", "0 0 30 2 *"])
def test_what_is_no_schedule_is_refused_with_what_is_allowed(cron):
    with pytest.raises(ValueError, match=r"is not a cron expression .*; allowed: minute hour day month weekday"):
        schedules.check(cron)
