"""Traces: spans within spans, across threads and servers, with nothing in them that nobody should read."""

import subprocess
import sys
import threading
import time

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from models import spans
from tests.support.traces import attributes, traced

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def answer(scope, receive, send):
    with spans.span("stage", rows=3):
        spans.note(role="auditor")
    await PlainTextResponse("ok", 418)(scope, receive, send)


def ask(app, **headers):
    return TestClient(app, headers=headers).get("/desk/cases/24-0001?importer=I-1")


def test_off_nothing_is_imported_and_an_application_stays_as_it_is():
    script = """
import sys
from models import spans
app = object()
with spans.span("a", rows=1), spans.under([spans.here()]):
    spans.note("GET /", role="auditor")
assert spans.around(app) is app
spans.begin(None, "tests")
spans.end()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_request_is_part_of_its_caller_s_trace_and_tells_nothing_of_its_path():
    with traced("tests-service") as found:
        told = ask(spans.around(answer), traceparent=f"00-{TRACE}-{CALLER}-01", tracestate="secret=I-1")
    assert told.status_code == 418
    request, stage = found.one("GET"), found.one("stage")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert (stage.trace_id, stage.parent_span_id) == (request.trace_id, request.span_id)
    assert attributes(request) == {"http.request.method": "GET", "http.response.status_code": 418}
    assert attributes(stage) == {"rows": 3, "role": "auditor"}
    assert found.services == {"tests-service"}
    assert not any(secret in found.content for secret in (b"24-0001", b"I-1", b"secret"))


@pytest.mark.parametrize("header", ["", "00-0-0-00", "no such thing", f"00-{TRACE}-{CALLER}-01" * 50])
def test_a_header_that_names_no_trace_begins_another(header):
    with traced() as found:
        ask(spans.around(answer), traceparent=header)
    assert found.one("GET").parent_span_id == b""


def test_a_route_is_the_name_of_its_request():
    async def routed(scope, receive, send):
        spans.note("GET desk")
        await answer(scope, receive, send)

    with traced() as found:
        ask(spans.around(routed))
    assert attributes(found.one("GET desk"))["http.route"] == "GET desk"


def test_a_method_that_is_none_is_not_repeated():
    with traced() as found:
        TestClient(spans.around(answer)).request("I-1", "/")
    assert attributes(found.one("_OTHER"))["http.request.method"] == "_OTHER"


def test_an_error_is_told_by_its_kind_alone():
    with traced() as found:
        with pytest.raises(ValueError, match="I-1"), spans.span("stage"):
            raise ValueError("importer I-1")
        with pytest.raises(ValueError, match="I-1"):
            ask(spans.around(lambda *given: answer_badly()))
    stage = found.one("stage")
    assert stage.status.code == Status.STATUS_CODE_ERROR
    assert attributes(stage) == {"error.type": "ValueError"}
    assert b"I-1" not in found.content


async def answer_badly():
    raise ValueError("importer I-1")


def test_what_is_done_for_several_at_once_is_part_of_each():
    places = []

    def work():
        with spans.under(places), spans.span("score", rows=5):
            time.sleep(0.01)

    with traced() as found:
        for name in ("first", "second"):
            with spans.span(name):
                places.append(spans.here())
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        with spans.span("alone"):
            pass
    scores = found.named("score")
    assert {each.parent_span_id for each in scores} == {found.one("first").span_id, found.one("second").span_id}
    assert all(each.end_time_unix_nano - each.start_time_unix_nano >= 10_000_000 for each in scores)
    assert found.one("alone").parent_span_id == b""


def test_a_receiver_that_is_away_ends_nothing_and_keeps_nobody_waiting():
    spans.begin("http://127.0.0.1:9/v1/traces", "tests")
    with spans.span("stage"):
        pass
    began = time.monotonic()
    spans.end()
    assert time.monotonic() - began < 2 * spans.TIMEOUT_S
