"""The requests of Prefect that the product uses, and for what. Any other is refused, whatever a later Prefect adds.

A route is a method and a path as Prefect writes it; an id or a name stands in braces. callers.py says who may use which
kind, and rules.py what of a person's request is passed on.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """The purpose of a request."""

    OPEN = auto()  # for probes: says that the server is there, and no more
    PAGE = auto()  # files of the pages for people, the same for everybody
    READ = auto()  # shows something
    WORK = auto()  # what the worker and runs tell of themselves
    DECISION = auto()  # what people may decide, judged by rules.py
    SETUP = auto()  # what runs and where: for `tidewaiter up` alone
    CLOSED = auto()


@dataclass(frozen=True)
class Route:
    """A kind of request. `name` is method and path as in the table below; `ids` are the values of its braces."""

    kind: Kind
    name: str
    ids: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """Return what may be said of a request: its line of the table, and of others the kind alone."""
        return self.kind.name.lower() if self.kind in (Kind.OPEN, Kind.PAGE, Kind.CLOSED) else self.name

    @property
    def is_changing(self) -> bool:
        return self.kind in (Kind.WORK, Kind.DECISION, Kind.SETUP)


CREATE_RUN = "POST /api/deployments/{id}/create_flow_run"
PAUSE = "POST /api/deployments/{id}/pause_deployment"
RESUME = "POST /api/deployments/{id}/resume_deployment"
CHANGE_DEPLOYMENT = "PATCH /api/deployments/{id}"
CHANGE_SCHEDULE = "PATCH /api/deployments/{id}/schedules/{id}"
SET_STATE = "POST /api/flow_runs/{id}/set_state"
RESUME_RUN = "POST /api/flow_runs/{id}/resume"
NEW_RUN = "POST /api/flow_runs/"
CHANGE_RUN = "PATCH /api/flow_runs/{id}"
EVENTS = "POST /api/events"
CHECK_FORM = "POST /api/ui/schemas/validate"
SETTINGS = "GET /api/admin/settings"

_READS = f"""
{SETTINGS}
GET /api/version
GET /api/hello
GET /api/admin/version
GET /ui-settings
GET /api/flows/{{id}}
GET /api/flows/name/{{name}}
POST /api/flows/count
POST /api/flows/filter
POST /api/flows/paginate
GET /api/flow_runs/{{id}}
GET /api/flow_runs/{{id}}/graph
GET /api/flow_runs/{{id}}/graph-v2
GET /api/flow_runs/{{id}}/logs/download
POST /api/flow_runs/count
POST /api/flow_runs/lateness
POST /api/flow_runs/history
POST /api/flow_runs/filter
POST /api/flow_runs/paginate
GET /api/task_runs/{{id}}
POST /api/task_runs/count
POST /api/task_runs/history
POST /api/task_runs/filter
POST /api/task_runs/paginate
GET /api/flow_run_states/
GET /api/flow_run_states/{{id}}
GET /api/task_run_states/
GET /api/task_run_states/{{id}}
GET /api/deployments/{{id}}
GET /api/deployments/name/{{name}}/{{name}}
GET /api/deployments/{{id}}/schedules
GET /api/deployments/{{id}}/work_queue_check
POST /api/deployments/count
POST /api/deployments/filter
POST /api/deployments/paginate
POST /api/logs/filter
GET /api/work_pools/{{name}}
GET /api/work_pools/{{name}}/queues/{{name}}
POST /api/work_pools/count
POST /api/work_pools/filter
POST /api/work_pools/{{name}}/concurrency_status
POST /api/work_pools/{{name}}/queues/filter
POST /api/work_pools/{{name}}/workers/filter
GET /api/work_queues/{{id}}
GET /api/work_queues/{{id}}/status
GET /api/work_queues/name/{{name}}
POST /api/work_queues/filter
POST /api/work_queues/{{id}}/concurrency_status
GET /api/artifacts/{{id}}
GET /api/artifacts/{{name}}/latest
POST /api/artifacts/count
POST /api/artifacts/filter
POST /api/artifacts/latest/count
POST /api/artifacts/latest/filter
GET /api/events/filter/next
POST /api/events/filter
POST /api/events/count-by/{{name}}
GET /api/automations/{{id}}
GET /api/automations/related-to/{{name}}
POST /api/automations/count
POST /api/automations/filter
POST /api/ui/flows/count-deployments
POST /api/ui/flows/next-runs
POST /api/ui/flow_runs/history
POST /api/ui/flow_runs/count-task-runs
GET /api/ui/task_runs/{{id}}
POST /api/ui/task_runs/count
POST /api/ui/task_runs/dashboard/counts
"""
_WORK = f"""
POST /api/flows/
{NEW_RUN}
{CHANGE_RUN}
PATCH /api/flow_runs/{{id}}/labels
POST /api/task_runs/{{id}}/set_state
POST /api/logs/
POST /api/artifacts/
PATCH /api/artifacts/{{id}}
POST /api/work_pools/{{name}}/get_scheduled_flow_runs
POST /api/work_pools/{{name}}/workers/heartbeat
POST /api/v2/concurrency_limits/leases/{{id}}/renew
{EVENTS}
"""
_DECISIONS = f"""
{CREATE_RUN}
{PAUSE}
{RESUME}
{CHANGE_DEPLOYMENT}
{CHANGE_SCHEDULE}
{SET_STATE}
{RESUME_RUN}
{CHECK_FORM}
"""
_SETUP = """
POST /api/deployments/
DELETE /api/deployments/{id}
GET /api/block_types/slug/{name}
POST /api/block_schemas/filter
GET /api/block_types/slug/{name}/block_documents/name/{name}
POST /api/block_documents/
PATCH /api/block_documents/{id}
DELETE /api/block_documents/{id}
POST /api/work_pools/
PATCH /api/work_pools/{name}
POST /api/automations/
PUT /api/automations/{id}
DELETE /api/automations/{id}
DELETE /api/automations/owned-by/{name}
"""
_IDS = {"{id}": "([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})", "{name}": "([^/]+)"}
# Prefect's pages route inside the browser, so any of their paths gives the same file.
_PAGES = re.compile(r"/(?!api(?:/|$)|docs(?:/|$)|redoc$|openapi\.json$|ui-settings$)[A-Za-z0-9._@/-]*", re.IGNORECASE)


def find(method: str, path: str) -> Route:
    """Return the route of a request; `path` is decoded, as Prefect sees it.

    >>> find("POST", "/api/flow_runs/filter")
    Route(kind=<Kind.READ: 3>, name='POST /api/flow_runs/filter', ids=())
    >>> find("POST", "/api/block_documents/filter").kind, find("GET", "/api/flows/../admin/settings").kind
    (<Kind.CLOSED: 7>, <Kind.CLOSED: 7>)
    """
    if _is_odd(path):
        return Route(Kind.CLOSED, f"{method} {path}")
    if method == "GET" and path in ("/api/health", "/api/ready"):
        return Route(Kind.OPEN, f"GET {path}")
    if method in ("GET", "HEAD") and _PAGES.fullmatch(path):
        return Route(Kind.PAGE, f"{method} {path}")
    if found := _EXACT.get(f"{method} {path}"):
        return found
    for pattern, route in _PATTERNS.get(method, ()):
        if match := pattern.fullmatch(path):
            return Route(route.kind, route.name, match.groups())
    return Route(Kind.CLOSED, f"{method} {path}")


class Socket(Enum):
    """The use of a websocket."""

    TELLING = auto()  # events of the worker and of runs come in
    READING = auto()  # events and logs go out
    CLOSED = auto()


def find_socket(path: str) -> Socket:
    """Return the use of a websocket by its path.

    >>> find_socket("/api/events/in"), find_socket("/api/work_pools/tidewaiter/workers/connect")
    (<Socket.TELLING: 1>, <Socket.CLOSED: 3>)
    """
    # The worker's channel is left out, since by it a worker could make pools: it falls back to plain requests without
    # it.
    known = {"/api/events/in": Socket.TELLING, "/api/events/out": Socket.READING, "/api/logs/out": Socket.READING}
    return known.get(path, Socket.CLOSED)


def _is_odd(path: str) -> bool:
    """Whether a path could mean one thing here and another behind: it has dots, double slashes or double encoding."""
    parts = path.split("/")[1:]
    return (
        "" in parts[:-1]
        or any(part in (".", "..") for part in parts)
        or not path.isprintable()
        or bool(set(path) & set("\\%;"))
    )


def _table(kinds: Mapping[Kind, str]) -> Iterable[Route]:
    return (Route(kind, line) for kind, lines in kinds.items() for line in lines.split("\n") if line)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("".join(_IDS.get(part) or re.escape(part) for part in re.split(r"(\{\w+\})", path)))


_TABLE = tuple(_table({Kind.READ: _READS, Kind.WORK: _WORK, Kind.DECISION: _DECISIONS, Kind.SETUP: _SETUP}))
_EXACT = {route.name: route for route in _TABLE if "{" not in route.name}
_PATTERNS: dict[str, list[tuple[re.Pattern[str], Route]]] = {}
for _route in _TABLE:
    _method, _, _path = _route.name.partition(" ")
    if "{" in _path:
        _PATTERNS.setdefault(_method, []).append((_pattern(_path), _route))
