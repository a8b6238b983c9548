"""Nights that were missed are caught up once, however many were missed.

Left alone, Prefect 3.8 gets this wrong both ways. It schedules three runs ahead, and a worker that comes back after a
week takes all three at once, while the nights after those leave no trace: a machine that was off for more nights learns
of none of them. This module cancels all waiting runs but the latest, and makes one run for a missed night that left
none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from flows import schedules
from flows.servers import prefect_api
from flows.servers.prefect_api import Deployment, Run, Schedule
from models.runs import CATCH_UP


@dataclass(frozen=True)
class Decision:
    """A decision about one deployment: the waiting run that stays, those to cancel, and whether to make a new one."""

    missed_at: datetime | None = None
    keep: Run | None = None
    cancel: tuple[Run, ...] = ()
    create: bool = False


def last_fire(schedule: Schedule, now: datetime) -> datetime:
    """Return the schedule's latest instant not after `now`.

    >>> last_fire(Schedule("30 1 * * *", "Asia/Seoul", True), datetime.fromisoformat("2024-03-05T00:00:00+00:00"))
    datetime.datetime(2024, 3, 5, 1, 30, tzinfo=zoneinfo.ZoneInfo(key='Asia/Seoul'))
    """
    return schedules.last_fire(schedule.cron, schedule.time_zone, now)


def next_fires(schedule: Schedule, now: datetime, count: int) -> list[datetime]:
    """Return the schedule's next `count` instants after `now`."""
    return schedules.next_fires(schedule.cron, schedule.time_zone, now, count)


def ran(run: Run, fire: datetime) -> bool:
    """Whether a run accounts for the night that was due at `fire`: it started since, or was due then and has ended.

    A run that crashed before it started does not count, and neither does one that still waits.
    """
    if run.started_at is not None:
        return run.started_at >= fire or run.expected_at >= fire
    return run.expected_at >= fire and run.state in ("COMPLETED", "FAILED", "CANCELLED")


def piled_up(runs: Sequence[Run], now: datetime) -> tuple[Run, ...]:
    """Return the overdue runs that the schedule made, in order; runs that a person asked for are not among them."""
    waiting = (
        run
        for run in runs
        if run.state == "SCHEDULED" and run.expected_at <= now and (run.is_auto_scheduled or CATCH_UP in run.tags)
    )
    return tuple(sorted(waiting, key=lambda run: (run.expected_at, run.id)))


def decide(runs: Sequence[Run], fire: datetime, created_at: datetime, now: datetime) -> Decision:
    """Decide about a deployment, given its runs, its latest fire time and when it was first deployed."""
    waiting = piled_up(runs, now)
    if fire <= created_at or any(ran(run, fire) for run in runs):
        return Decision(cancel=waiting)
    if waiting:
        return Decision(missed_at=fire, keep=waiting[-1], cancel=waiting[:-1])
    return Decision(missed_at=fire, create=True)


def catch_up(client: httpx.Client, deployments: Sequence[Deployment], now: datetime) -> dict[str, Decision]:
    """Decide and act for every deployment that has a schedule; this must be called while no worker runs.

    If a deployment is not nightly, its waiting runs are cancelled: the next run sees all that they would have seen.

    `deployments` are those from before this start deployed them again: the schedules that were in force are the ones
    that were missed. Returns the decisions on missed nights, by the deployment's name.
    """
    decisions = {}
    for deployment in deployments:
        if not deployment.schedules or (deployment.is_nightly and deployment.night is None):
            continue
        decision = _decide(client, deployment, now)
        for run in decision.cancel:
            prefect_api.set_state(
                client, run, "CANCELLED", "Piled up while nothing ran; a later run stands for this one."
            )
        if decision.missed_at:
            if decision.create:
                name = f"catch-up-of-{decision.missed_at:%Y-%m-%d-%H%M}"
                prefect_api.create_run(client, deployment, name, (CATCH_UP,))
            decisions[deployment.name] = decision
    return decisions


def _decide(client: httpx.Client, deployment: Deployment, now: datetime) -> Decision:
    runs = prefect_api.runs(client, deployment)
    if deployment.night is None:
        return Decision(cancel=piled_up(runs, now))
    return decide(runs, last_fire(deployment.night, now), deployment.created_at, now)


def stuck(runs: Sequence[Run], now: datetime, patience: timedelta) -> tuple[Run, ...]:
    """Return the runs that a worker took so long ago that they will not begin any more.

    This happens if the worker meets an error of the server between taking a run and starting its process. No heartbeat
    has begun then, so nothing else would end the wait.
    """
    return tuple(run for run in runs if run.state == "PENDING" and now - run.state_at > patience)


def bury(client: httpx.Client, message: str) -> int:
    """Mark runs whose processes are known to be gone as crashed, which also frees their slots. Return how many."""
    dead = prefect_api.unfinished(client)
    for run in dead:
        prefect_api.set_state(client, run, "CRASHED", message)
    return len(dead)
