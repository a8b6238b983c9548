"""All of Prefect's own routes, and what the guard does with each."""

import re

import pytest
from prefect.server.api.server import create_app
from starlette.routing import Mount

from models.access.call import Refused
from models.runs import routes
from models.runs.callers import Caller, refuse
from models.runs.routes import Kind, Socket, find, find_socket

ID = "0" * 8 + "-0000-4000-8000-" + "0" * 12
# What the product has no use for, by the beginning of its path: a new route under these is closed as well.
CLOSED = (
    "/api/admin/storage",
    "/api/block_capabilities",
    "/api/block_documents",
    "/api/block_schemas",
    "/api/block_types",
    "/api/collections",
    "/api/concurrency_limits",
    "/api/csrf-token",
    "/api/docs",
    "/api/openapi.json",
    "/api/redoc",
    "/api/saved_searches",
    "/api/static",
    "/api/task_workers",
    "/api/templates",
    "/api/automations/templates",
    "/api/v2/concurrency_limits",
    "/api/variables",
    "/docs",
    "/openapi.json",
    "/redoc",
)


def _walk(found, prefix=""):
    for route in found:
        if inner := getattr(route, "original_router", None):
            yield from _walk(inner.routes, prefix + (route.include_context.prefix or ""))
        elif isinstance(route, Mount):
            yield from _walk(route.routes, prefix + route.path)
        else:
            for method in getattr(route, "methods", None) or ["WEBSOCKET"]:
                yield method, prefix + route.path


def _filled(path):
    return re.sub(r"\{\w*id(?::uuid)?\}", ID, re.sub(r"\{(?!\w*id(:uuid)?\})[^}]+\}", "name", path))


@pytest.fixture(scope="module")
def prefects():
    found = sorted(set(_walk(create_app().routes)))
    assert len(found) > 190  # or the walk has missed whole routers
    return found


def test_every_route_of_prefect_is_known_or_closed(prefects):
    unknown, opened = [], []
    for method, path in prefects:
        if method == "WEBSOCKET":
            continue
        kind = find(method, _filled(path)).kind
        if kind is not Kind.CLOSED:
            opened.append(f"{method} {path}")
        elif not path.startswith(CLOSED) and not _is_left_out(method, path):
            unknown.append(f"{method} {path}")
    assert unknown == []
    assert len(opened) == len(routes._TABLE) + 2


def _is_left_out(method, path):
    """Closed although the same things are read or told: each decided here."""
    return (
        method in ("DELETE", "HEAD")
        or path.endswith(("/bulk_delete", "/bulk_set_state", "/create_flow_run/bulk", "/increment", "/decrement"))
        or "/input" in path
        or f"{method} {path}"
        in {
            "POST /api/deployments/get_scheduled_flow_runs",  # of processes that serve a flow, which nothing here does
            "POST /api/deployments/{id:uuid}/schedule",
            "POST /api/deployments/{id:uuid}/schedules",
            "PATCH /api/flows/{id:uuid}",
            "POST /api/task_runs/",  # told by events
            "PATCH /api/task_runs/{id:uuid}",
            "POST /api/work_pools/{work_pool_name}/queues",
            "PATCH /api/work_pools/{work_pool_name}/queues/{name}",
            "POST /api/work_queues/",
            "PATCH /api/work_queues/{id:uuid}",
            "POST /api/work_queues/{id:uuid}/get_runs",
            "PATCH /api/automations/{id:uuid}",
        }
    )


def test_the_table_has_no_route_that_prefect_has_not(prefects):
    served = {(method, re.sub(r"\{[^}]+\}", "{}", path)) for method, path in prefects}
    for route in routes._TABLE:
        method, _, path = route.name.partition(" ")
        assert (method, re.sub(r"\{[^}]+\}", "{}", path)) in served, route.name


def test_every_websocket_is_known_or_closed(prefects):
    found = {path: find_socket(_filled(path)) for method, path in prefects if method == "WEBSOCKET"}
    assert found == {
        "/api/events/in": Socket.TELLING,
        "/api/events/out": Socket.READING,
        "/api/logs/out": Socket.READING,
        "/api/task_runs/subscriptions/scheduled": Socket.CLOSED,
        "/api/work_pools/{work_pool_name}/workers/connect": Socket.CLOSED,
    }


def _may(who, route):
    try:
        refuse(who, "x", route)
    except Refused:
        return False
    return True


def test_who_may_write_what():
    writes = {
        who: {route.name for route in routes._TABLE if route.kind is not Kind.READ and _may(who, route)}
        for who in Caller
    }
    decisions = {route.name for route in routes._TABLE if route.kind is Kind.DECISION}
    assert writes[Caller.STARTER] == decisions
    assert writes[Caller.READER] == writes[Caller.NOBODY] == set()
    assert writes[Caller.TELLER] == {"POST /api/events"}
    for name in writes[Caller.SERVICE]:
        assert not name.startswith(("POST /api/deployments", "PATCH /api/deployments", "POST /api/automations"))
    assert writes[Caller.UP] >= {"POST /api/deployments/", "PATCH /api/work_pools/{name}", "POST /api/automations/"}
    setup = {route.name for route in routes._TABLE if route.kind is Kind.SETUP}
    assert all(not setup & writes[who] for who in Caller if who is not Caller.UP)


@pytest.mark.parametrize(
    "path",
    [
        "/api/flow_runs/../deployments/",
        "/api//flow_runs/filter",
        "/api/flow_runs/filter%2f",
        "/api/flow_runs/filter;x",
        "/api\\flow_runs/filter",
        "/api/flow_runs/filter\n",
        "//api/flow_runs/filter",
        "/API/flow_runs/filter",
        "/api/flow_runs/filter/",
        "/v2/../api/deployments/",
        "/api",
        "/api/",
        "/docs/",
        "/docs/oauth2-redirect",
    ],
)
def test_what_could_mean_two_things_is_closed(path):
    assert find("POST", path).kind is Kind.CLOSED
    assert find("GET", path).kind is Kind.CLOSED


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PUT", "get", "POST\t", "PROPFIND"])
def test_methods_that_nobody_needs_are_closed(method):
    assert find(method, "/api/flow_runs/filter").kind is Kind.CLOSED
    assert find(method, "/").kind is Kind.CLOSED
