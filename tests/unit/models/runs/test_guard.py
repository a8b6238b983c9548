"""What a trace says of a request at Prefect's guard."""

from uuid import uuid4

from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from models import spans
from models.access import Account, Entrance, Names
from models.access.accounts import UP
from models.runs import Rules
from models.runs.guard import Guard
from tests.support.traces import attributes, traced


class People:
    def is_remembered(self, name, password):
        return True

    def account(self, name, password):
        return Account(name, ()) if password == "secret" else None


async def look(path):
    raise AssertionError("nothing is asked")


def test_a_trace_says_route_and_kind_of_caller_and_nothing_of_who_asks_for_what():
    guard, run = Guard(JSONResponse({}), Entrance(People(), Names()), Rules({}, look)), str(uuid4())
    with traced() as found:
        client = TestClient(spans.around(guard), base_url="http://127.0.0.1")
        for path in (f"/api/flow_runs/{run}", "/api/I-1", "/assets/I-1.js"):
            client.get(path, auth=(UP, "secret"))
        client.get(f"/api/flow_runs/{run}", auth=("ann", "secret"))
    told = [attributes(span) for span in found.spans]
    assert [each["http.route"] for each in told] == [
        "GET /api/flow_runs/{id}",
        "closed",
        "page",
        "GET /api/flow_runs/{id}",
    ]
    assert [each.get("caller") for each in told] == ["up", None, "up", "nobody"]
    assert [each["http.response.status_code"] for each in told] == [200, 404, 200, 403]
    assert not any(secret in found.content for secret in (run.encode(), b"I-1", b"ann", b"secret"))
