"""What operators are told of runs: every deployment that the server has is watched.

A run that failed or crashed is told, whatever it was of. What runs every minute is told when it keeps failing, since a
message for each run would bury the others. A night that did not begin is told, and so are events that flows emit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from flows.servers import prefect_api
from flows.servers.prefect_api import Deployment
from flows.watching import nights, watch
from models.notices import OPERATOR, Event, Found, Pages, moment, plain

OVERLAP = timedelta(minutes=5)  # events are stored a moment after they occur; what is found again is not told again
LATE = timedelta(minutes=30)  # after which a night that has not begun is told
KEEPS_FAILING = 10  # runs in a row


class Runs:
    """Reads the runs of a Prefect server; `connect` gives a client of its API."""

    def __init__(self, connect: Callable[[], AbstractContextManager[httpx.Client]]) -> None:
        self._connect = connect
        self._begun: dict[str, datetime] = {}  # the last night of each deployment that is known to have begun

    def look(self, pages: Pages, cursor: str | None, now: datetime) -> Found:
        """Return what has happened since `cursor`, an instant; httpx.HTTPError if the server does not answer.

        The first look goes back a little: what was missed while nothing ran is told while `up` starts.
        """
        since = (datetime.fromisoformat(cursor) if cursor else now) - OVERLAP
        with self._connect() as client:
            deployments = prefect_api.deployments(client)
            often = [each for each in deployments if each.schedules and not each.is_nightly]
            told = [
                *_failed(client, [each for each in deployments if each not in often], since, pages),
                *(event for each in often for event in _failing(client, each, now, pages)),
                *(event for each in deployments for event in self._not_begun(client, each, now, pages)),
                *_emitted(client, since, pages),
            ]
        return Found(told, now.astimezone(UTC).isoformat())

    def _not_begun(self, client: httpx.Client, deployment: Deployment, now: datetime, pages: Pages) -> Iterator[Event]:
        if deployment.night is None:
            return
        due = nights.last_fire(deployment.night, now)
        is_known = due <= deployment.created_at or self._begun.get(deployment.id) == due
        if is_known or now - due < LATE:
            return
        if any(nights.ran(run, due) for run in prefect_api.runs(client, deployment, KEEPS_FAILING)):
            self._begun[deployment.id] = due
        else:
            yield _night_missed(deployment.name, due, pages)


def _failed(client: httpx.Client, deployments: Sequence[Deployment], since: datetime, pages: Pages) -> Iterator[Event]:
    for deployment, name, run in prefect_api.failed_since(client, deployments, since):
        facts = {
            "deployment": plain(deployment.name),
            "run": plain(name),
            "state": plain(run.state_name),
            "why": plain(run.message),
        }
        key = f"run-failed/{run.id}/{run.state_at.isoformat()}"  # it may be begun again, and fail again
        yield Event("run-failed", key, run.state_at, pages.run(run.id), facts, role=OPERATOR)


def _failing(client: httpx.Client, deployment: Deployment, now: datetime, pages: Pages) -> Iterator[Event]:
    """Yield an event an hour while the latest runs have all failed."""
    ended = ("COMPLETED", "FAILED", "CRASHED")
    runs = [run for run in prefect_api.runs(client, deployment, 2 * KEEPS_FAILING) if run.state in ended]
    latest = runs[:KEEPS_FAILING]
    if len(latest) == KEEPS_FAILING and all(run.state != "COMPLETED" for run in latest):
        last = latest[0]
        facts = {
            "deployment": plain(deployment.name),
            "run": f"{KEEPS_FAILING} x",
            "state": plain(last.state_name),
            "why": plain(last.message),
        }
        key = f"run-failed/{deployment.name}/{now.astimezone(UTC):%Y-%m-%dT%H}"
        yield Event("run-failed", key, last.state_at, pages.run(last.id), facts, role=OPERATOR)


def _emitted(client: httpx.Client, since: datetime, pages: Pages) -> Iterator[Event]:
    for event in prefect_api.events(client, (watch.MISSED, watch.ALARM, watch.UNJUDGED), since):
        key, at, told = event["id"], datetime.fromisoformat(event["occurred"]), event["payload"]
        match event["event"]:
            case watch.MISSED:
                due = datetime.fromisoformat(told["due_at"])
                yield _night_missed(event["resource"]["prefect.resource.name"], due, pages)
            case watch.ALARM:
                yield _said("alarm", f"alarm/{key}", at, pages, {"why": plain(told["alarm"])})
            case watch.UNJUDGED:
                facts = {"source": plain(told["source"]), "why": plain(told["said"])}
                yield _said("not-judged", f"not-judged/{key}", at, pages, facts)


def _night_missed(deployment: str, due: datetime, pages: Pages) -> Event:
    key = f"night-missed/{deployment}/{due.astimezone(UTC).isoformat()}"
    return _said("night-missed", key, due, pages, {"deployment": plain(deployment), "due": moment(due)})


def _said(kind: str, key: str, at: datetime, pages: Pages, facts: dict[str, Any]) -> Event:
    return Event(kind, key, at, pages.of(kind), facts, role=OPERATOR)
