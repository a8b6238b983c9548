"""Events on their way: an endpoint that is away gets everything later, each once and in order."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from openlineage.client.event_v2 import RunState

from models.lineage import Log, Refused, send, waiting_since
from tests.support.lineage import run, told

NOVEMBER, DECEMBER = datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
URL = "http://marquez.example/api/v1/lineage"


class Endpoint:
    """Takes events; `answers` are the statuses of the next requests, and 201 after them; None is no answer."""

    def __init__(self):
        self.events, self.answers, self.asked = [], [], 0

    def __call__(self, request):
        self.asked += 1
        status = self.answers.pop(0) if self.answers else 201
        if status is None:
            raise httpx.ConnectError("refused")
        assert str(request.url) == URL
        if status == 201:
            self.events.append(json.loads(request.content))
        return httpx.Response(status, text="no")


@pytest.fixture
def endpoint():
    return Endpoint()


@pytest.fixture
def log(tmp_path):
    found = Log(tmp_path / "lineage")
    found.begin(run(), NOVEMBER).end(RunState.COMPLETE, NOVEMBER)
    found.begin(run("select"), DECEMBER)
    return found


def sent(log, endpoint, say=lambda text: pytest.fail(text)):
    return send(log, URL, say, httpx.MockTransport(endpoint))


def test_everything_is_sent_once_in_order(log, endpoint):
    assert sent(log, endpoint) == 3
    assert endpoint.events == told(log)
    assert sent(log, endpoint) == 0
    log.begin(run("promote"), DECEMBER)
    assert sent(log, endpoint) == 1
    assert endpoint.events == told(log)


@pytest.mark.parametrize("away", [None, 401, 429, 500, 503])
def test_what_an_endpoint_that_is_away_does_not_take_is_sent_later(log, endpoint, away):
    endpoint.answers = [201, away]
    with pytest.raises(Refused, match="does not answer" if away is None else str(away)):
        sent(log, endpoint)
    assert sent(log, endpoint) == 2
    assert endpoint.events == told(log)


@pytest.mark.parametrize("never", [400, 413, 422])
def test_what_would_be_refused_each_time_does_not_hold_up_what_follows(log, endpoint, never):
    endpoint.answers, said = [201, never], []
    assert sent(log, endpoint, said.append) == 2
    assert endpoint.events == [told(log)[0], told(log)[2]]
    (line,) = said
    assert line.startswith("runs-2026-11.jsonl, byte ")
    assert str(never) in line
    assert sent(log, endpoint) == 0


def test_it_is_known_since_when_something_waits(log, endpoint):
    assert waiting_since(log) == NOVEMBER
    endpoint.answers = [201, 201, 503]
    with pytest.raises(Refused):
        sent(log, endpoint)
    assert waiting_since(log) == DECEMBER
    sent(log, endpoint)
    assert waiting_since(log) is None


def test_a_line_that_is_being_written_waits(log, endpoint):
    file = log.files()[-1]
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    assert sent(log, endpoint) == 2
    file.write_bytes(whole)
    assert sent(log, endpoint) == 1
    assert endpoint.events == told(log)


def test_an_event_whose_answer_was_not_noted_goes_out_again_as_the_same(log, endpoint):
    sent(log, endpoint)
    (log.folder / "sent.json").unlink()
    sent(log, endpoint)
    assert endpoint.events == [*told(log), *told(log)]
