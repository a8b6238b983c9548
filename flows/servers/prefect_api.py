"""What the Prefect server knows; it is read and changed over its REST API.

This module uses HTTP rather than Prefect's client, because importing Prefect takes seconds and 150 MB: `tidewaiter
status` should answer at once, and `tidewaiter up` stays in memory all day.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

POOL = "tidewaiter"  # runs are processes of the machine of `tidewaiter up`
JOBS = "tidewaiter-kubernetes"  # runs are jobs of Kubernetes
NIGHTLY = "nightly"  # the tag of deployments that run once a night
UNFINISHED = ("RUNNING", "PENDING", "CANCELLING")
PAGE = 200  # the server's largest page
EVENTS_PAGE = 50  # that of events
_PROCESS = {
    "job_configuration": {"command": "{{ command }}"},
    "variables": {"type": "object", "properties": {"command": {"type": "string"}}},
}


@dataclass(frozen=True)
class Schedule:
    """One cron schedule of a deployment."""

    cron: str
    time_zone: str
    is_active: bool


@dataclass(frozen=True)
class Deployment:
    """A deployment; `name` is flow/deployment, as people write it."""

    id: str
    name: str
    created_at: datetime
    is_paused: bool
    schedules: tuple[Schedule, ...]
    tags: frozenset[str]

    @property
    def is_nightly(self) -> bool:
        """Whether it runs at night: its nights are counted and caught up, while others are scheduled to look often."""
        return NIGHTLY in self.tags and bool(self.schedules)

    @property
    def night(self) -> Schedule | None:
        """Return the schedule by which it runs at night; None if it has none or is paused."""
        if self.is_paused or not self.is_nightly:
            return None
        return next((schedule for schedule in self.schedules if schedule.is_active), None)


@dataclass(frozen=True)
class Run:
    """A flow run. `state` is Prefect's state type (SCHEDULED, COMPLETED, ...), `state_name` what people read.

    `state_at` is when it came into that state; `started_at` is None where none of its code ran.
    """

    id: str
    state: str
    state_name: str
    message: str
    state_at: datetime
    expected_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    is_auto_scheduled: bool
    tags: frozenset[str]


class Patient(httpx.BaseTransport):
    """A transport that asks again on 503.

    The server answers so if a write met another one in SQLite ('database is locked'); the write was rolled back and is
    safe to repeat. A longer lock timeout does not help, since SQLite refuses such a write at once.
    """

    def __init__(self, transport: httpx.BaseTransport, delays_s: tuple[float, ...] = (0.1, 0.3, 1.0, 2.0, 4.0)) -> None:
        self._transport = transport
        self._delays_s = delays_s

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for delay_s in self._delays_s:
            response = self._transport.handle_request(request)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return response
            response.close()
            time.sleep(delay_s)
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()


def connect(url: str, account: tuple[str, str] | None = None, timeout_s: float = 90.0) -> httpx.Client:
    """Return a client of the API below a server's address, signed in by name and password. It uses no proxy of the
    environment, since the server is on loopback.

    By default it is more patient than the server, which waits up to a minute for its SQLite (embedded.environment).
    """
    transport = Patient(httpx.HTTPTransport())
    return httpx.Client(base_url=f"{url}/api", auth=account, timeout=timeout_s, transport=transport, trust_env=False)


def answers(url: str) -> bool:
    """Whether an address answers 200 within two seconds."""
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def deployments(client: httpx.Client) -> list[Deployment]:
    """Return every deployment, by name."""
    flows = {flow["id"]: flow["name"] for flow in _filter(client, "/flows/filter", {"limit": PAGE})}
    found = [
        Deployment(
            id=item["id"],
            name=f"{flows[item['flow_id']]}/{item['name']}",
            created_at=datetime.fromisoformat(item["created"]),
            is_paused=item["paused"],
            schedules=tuple(
                Schedule(each["schedule"]["cron"], each["schedule"].get("timezone") or "UTC", each["active"])
                for each in item["schedules"]
                if "cron" in each["schedule"]
            ),
            tags=frozenset(item["tags"]),
        )
        for item in _filter(client, "/deployments/filter", {"limit": PAGE})
    ]
    return sorted(found, key=lambda deployment: deployment.name)


def delete(client: httpx.Client, deployment: Deployment) -> None:
    """Take a deployment away; its runs stay."""
    client.delete(f"/deployments/{deployment.id}").raise_for_status()


def runs(client: httpx.Client, deployment: Deployment, limit: int = PAGE) -> list[Run]:
    """Return the runs of a deployment that were expected by now, the latest first.

    Runs of the future are left out: people may plan any number, and past nights would be out of sight behind them.
    """
    body = {
        "deployments": {"id": {"any_": [deployment.id]}},
        "flow_runs": {"expected_start_time": {"before_": datetime.now(UTC).isoformat()}},
        "sort": "EXPECTED_START_TIME_DESC",
        "limit": limit,
    }
    return [_run(item) for item in _filter(client, "/flow_runs/filter", body)]


def failed_since(
    client: httpx.Client, deployments: Iterable[Deployment], since: datetime
) -> list[tuple[Deployment, str, Run]]:
    """Return the runs of deployments that failed or crashed since an instant, each with its deployment and its name."""
    by_id = {deployment.id: deployment for deployment in deployments}
    body = {
        "deployments": {"id": {"any_": list(by_id)}},
        "flow_runs": {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}, "end_time": {"after_": since.isoformat()}},
        "sort": "END_TIME_DESC",
        "limit": PAGE,
    }
    found = _filter(client, "/flow_runs/filter", body)
    return [(by_id[item["deployment_id"]], item["name"], _run(item)) for item in found]


def events(client: httpx.Client, names: Iterable[str], since: datetime) -> list[dict[str, Any]]:
    """Return the events of these names that occurred since an instant, in order."""
    found: dict[str, dict[str, Any]] = {}
    while True:
        asked = {"event": {"name": list(names)}, "occurred": {"since": since.isoformat()}, "order": "ASC"}
        page = _post(client, "/events/filter", {"filter": asked, "limit": EVENTS_PAGE}).json()["events"]
        before = len(found)
        found |= {each["id"]: each for each in page}
        if len(page) < EVENTS_PAGE or len(found) == before:
            return list(found.values())
        since = datetime.fromisoformat(page[-1]["occurred"])


def unfinished(client: httpx.Client, pool: str = POOL) -> list[Run]:
    """Return the runs that a worker of the pool has taken and not finished."""
    body = {
        "flow_runs": {"state": {"type": {"any_": list(UNFINISHED)}}},
        "work_pools": {"name": {"any_": [pool]}},
        "limit": PAGE,
    }
    return [_run(item) for item in _filter(client, "/flow_runs/filter", body)]


def set_state(client: httpx.Client, run: Run, state: str, message: str) -> None:
    """Put a run into a state, whatever the orchestration rules think of it."""
    _post(client, f"/flow_runs/{run.id}/set_state", {"state": {"type": state, "message": message}, "force": True})


def create_run(client: httpx.Client, deployment: Deployment, name: str, tags: Iterable[str]) -> str:
    """Schedule one run of a deployment for now; return its id."""
    body = {"name": name, "tags": list(tags)}
    return _post(client, f"/deployments/{deployment.id}/create_flow_run", body).json()["id"]


def has_worker(client: httpx.Client, since: datetime | None = None, pool: str = POOL) -> bool:
    """Whether a worker of the pool has sent a heartbeat: since an instant, or lately by the server's own judgement."""
    try:
        workers = _filter(client, f"/work_pools/{pool}/workers/filter", {})
    except httpx.HTTPStatusError as error:
        if error.response.status_code == 404:
            return False
        raise
    if since is not None:
        return any(datetime.fromisoformat(worker["last_heartbeat_time"]) >= since for worker in workers)
    return any(worker["status"] == "ONLINE" for worker in workers)


def ensure_pool(client: httpx.Client) -> None:
    """Create the pool of this machine if it is missing; its job template has a run's command and nothing else."""
    _ensure(client, {"name": POOL, "type": "process", "description": "Runs on this machine"}, _PROCESS)


def ensure_jobs(client: httpx.Client, template: dict[str, Any]) -> None:
    """Create the pool of Kubernetes jobs if it is missing; set its job template to `template` in any case."""
    _ensure(client, {"name": JOBS, "type": "kubernetes", "description": "Runs as jobs of Kubernetes"}, template)


def _ensure(client: httpx.Client, pool: dict[str, Any], template: dict[str, Any]) -> None:
    # This is not left to the worker, which would fill in the template of an empty pool: it may not say what runs and
    # where.
    path, body = f"/work_pools/{pool['name']}", {"base_job_template": template}
    if client.get(path).status_code == 404:
        _post(client, "/work_pools/", pool | body)
    else:
        client.patch(path, json=body).raise_for_status()


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> httpx.Response:
    return client.post(path, json=body).raise_for_status()


def _filter(client: httpx.Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    return _post(client, path, body).json()


def _run(item: dict[str, Any]) -> Run:
    state = item["state"]
    return Run(
        id=item["id"],
        state=state["type"],
        state_name=state["name"],
        message=state["message"] or "",
        state_at=datetime.fromisoformat(state["timestamp"]),
        expected_at=datetime.fromisoformat(item["expected_start_time"]),
        # Prefect stamps a start time on runs that it cancels or crashes before they run.
        started_at=_instant(item["start_time"]) if item["run_count"] else None,
        ended_at=_instant(item["end_time"]),
        is_auto_scheduled=item["auto_scheduled"],
        tags=frozenset(item["tags"]),
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
