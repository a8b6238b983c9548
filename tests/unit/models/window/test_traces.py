"""A request at the window as a trace: its stages, in the trace of whoever asks, and nothing of what was declared."""

from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest
from starlette.testclient import TestClient

from models import spans
from models.access import Directory, Entrance, Names
from models.access.accounts import SYSTEM
from models.access.tokens import Tokens
from models.decisions import Spool
from models.window import openapi
from models.window.app import Window
from models.window.client import Client
from models.window.deciding import Decider
from tests.support.opened import accounts
from tests.support.traces import attributes, traced

NAME = "a-machine-of-customs"


@pytest.fixture
def window(world, log, tmp_path):
    ground, uri = world.ground(), accounts(f"sqlite:///{tmp_path / 'accounts.db'}")
    decider = Decider(log, Spool(tmp_path / "spool.jsonl"), lambda: ground, world.profile)
    decider.start()
    at = datetime.combine(world.day, datetime.min.time(), UTC).replace(hour=9)
    with closing(Tokens(uri)) as tokens:
        entrance = Entrance(Directory(uri), Names())
        window = Window(decider, log, tokens, entrance, lambda: at, lambda entry: None)
        yield window, tokens.make(NAME, SYSTEM, "admin")
    decider.stop()


def declare(app, token):
    """Declare by the small client, within a span of its program, over a transport that reaches the application."""
    with TestClient(app, base_url="http://127.0.0.1", headers={"User-Agent": "system/1"}) as served:

        def pass_on(request):
            answer = served.post(request.url.path, content=request.content, headers=dict(request.headers))
            return httpx.Response(answer.status_code, content=answer.content)

        client = Client("http://127.0.0.1", token, transport=httpx.MockTransport(pass_on))
        with spans.span("caller"):
            return client.declare(openapi.EXAMPLE)


def test_a_request_has_its_stages_and_its_caller(window):
    window, token = window
    with traced() as found:
        (decision,) = declare(spans.around(window.app()), token)["decisions"]
    request = found.one("POST /window/declarations")
    assert request.parent_span_id == found.one("caller").span_id
    assert found.within(request) == ["read", "features", "score", "lane", "log"]
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "POST /window/declarations",
        "http.response.status_code": 200,
        "role": SYSTEM,
    }
    assert {attributes(each)["rows"] for each in found.spans if each.name in ("features", "score", "lane")} == {1}
    said = [str(value) for value in values(openapi.EXAMPLE) if len(str(value)) > 4]
    assert len(said) == 9
    for secret in (token, NAME, decision["decision_id"], *said):
        assert secret.encode() not in found.content


def values(value):
    if isinstance(value, dict):
        return [found for each in value.values() for found in values(each)]
    return [found for each in value for found in values(each)] if isinstance(value, list) else [value]
