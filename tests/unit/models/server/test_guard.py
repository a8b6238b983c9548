"""The guard around a small application that says what reached it."""

import asyncio
import json
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
from starlette.responses import HTMLResponse, JSONResponse
from starlette.testclient import TestClient

from models import spans
from models.access.call import Refused
from models.access.directory import Account, Role
from models.access.entrance import Entrance, Names
from models.ledger.chain import LedgerError, Row
from models.server import guard as guards
from models.server.guard import LARGEST_BODY, LARGEST_SENTENCE, Guard
from models.server.pages import Page
from models.server.uploads import EvidenceLock
from tests.support.traces import attributes, traced

ROUTE = "/api/2.0/mlflow/runs/set-tag"
ACCOUNT, DATA_SCIENTIST, NOBODY = ("ana", "secret"), ("dan", "secret"), ("new", "secret")
ROLES = {"ana": (Role(3, "risk-analyst"),), "dan": (Role(4, "data-scientist"),), "new": ()}


class Recorder:
    """Rules that refuse what a test says, and record what they were asked."""

    def __init__(self):
        self.calls, self.noted, self.answers, self.refusal = [], [], [], None

    @contextmanager
    def noting(self, call):
        try:
            yield
        except Refused as refusal:
            self.noted.append((call.actor, str(refusal)))
            raise

    def judge(self, call):
        self.calls.append(call)
        if self.refusal:
            raise self.refusal
        return call.with_body(seen=True)

    def judge_artifact(self, call, path):
        self.calls.append((call, path))
        if self.refusal:
            raise self.refusal

    def take_step(self, call):
        return {"step": call.body["step"]}

    def answered(self, call, status):
        self.answers.append((call.name, status))

    def inspect(self, call):
        return {"inspected": call.body["version"]}

    def judge_registration(self, call):
        return {"author": call.body["author"]}

    def roll_back(self, call):
        raise LedgerError("row 3 is missing")


class Rows:
    def rows(self, after, limit):
        return [Row(number=after + 1, entry="{}", hash="", signature="")][:limit]


@pytest.fixture
def rules():
    return Recorder()


def network(call, request):
    return JSONResponse({"name": call.name, "actor": call.actor, "source": request.query_params["source"]})


def taken(call, request, body):
    return JSONResponse({"name": call.name, "actor": call.actor, "body": body.decode()})


PAGES = (
    Page("network", network),
    Page("desk", network, taken, frozenset({"officer"})),
    Page("signoff", network, taken, largest=40, is_noted=False),
)


def front(roles):
    return HTMLResponse("<p>the page</p>")


class People:
    def is_remembered(self, name, password):
        return True

    def account(self, name, password):
        return Account(name, ROLES[name]) if password == "secret" else None


def entrance():
    return Entrance(People(), Names(("http://server",)))


async def _in_parts(content):
    for part in content:
        yield part


@pytest.fixture
def guard(rules, tmp_path):
    async def inner(scope, receive, send):
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        assert scope["method"] in ("GET", "PUT") or lengths == [str(len(body)).encode()]
        assert not any(name == b"origin" for name, value in scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return Guard(inner, entrance(), rules, Rows(), PAGES, front, EvidenceLock(tmp_path))


@pytest.fixture
def send(guard):
    def request(method, path, auth=ACCOUNT, **given):
        async def run():
            transport = httpx.ASGITransport(guard, client=("10.1.1.1", 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://server", auth=auth) as client:
                if not isinstance(given.get("content", b""), bytes):
                    given["content"] = _in_parts(given["content"])
                return await client.request(method, path, **given)

        return asyncio.run(run())

    return request


def test_what_only_reads_goes_through_unasked_once_it_is_known_who_reads(send, rules):
    assert send("GET", "/api/2.0/mlflow/runs/get?run_id=1").status_code == 200
    assert send("POST", "/api/2.0/mlflow/runs/search", json={"a": 1}).json() == {"a": 1}
    for path in ("/", "/version", "/get-artifact?path=x", "/api/2.0/mlflow/runs/get?run_id=1"):
        assert send("GET", path, auth=None).status_code == 401
    assert send("POST", "/api/2.0/mlflow/runs/search", auth=None, json={}).status_code == 401
    for path in ("/health", "/favicon.ico", "/static-files/main.js"):
        assert send("GET", path, auth=None).status_code == 200
    assert rules.calls == []


def test_the_rules_are_handed_who_asks_for_what_and_say_what_goes_on(send, rules):
    assert send("POST", ROUTE, json={"key": "a"}).json() == {"key": "a", "seen": True}
    call = rules.calls[0]
    assert (call.method, call.name, call.actor, call.roles) == ("POST", "mlflow/runs/set-tag", "ana", ("risk-analyst",))
    assert (call.address, call.request, call.body) == ("10.1.1.1", f"POST {ROUTE}", {"key": "a"})
    assert call.role_numbers == {"risk-analyst": 3}


def test_a_refusal_is_one_sentence_and_nothing_reaches_the_application(send, rules):
    rules.refusal = Refused("not you")
    answer = send("POST", ROUTE, json={"key": "a"})
    assert (answer.status_code, answer.json()) == (403, {"error_code": "PERMISSION_DENIED", "message": "not you"})
    file = "/api/2.0/mlflow-artifacts/artifacts/1/2"
    assert send("PUT", file, auth=DATA_SCIENTIST, content=b"x").status_code == 403


def test_a_file_is_judged_by_its_path_and_goes_on_as_it_is(send, rules):
    file = "/api/2.0/mlflow-artifacts/artifacts/1/b%20c"
    assert send("PUT", file, auth=DATA_SCIENTIST, content=b"\xff").content == b"\xff"
    assert [path for _, path in rules.calls] == ["1/b c"] * 2  # before it is taken in, and when it is there
    assert send("PUT", file, content=b"\xff").status_code == 403  # who writes no runs
    assert len(rules.calls) == 2


def test_who_has_no_role_changes_nothing_but_the_own_password(send, rules):
    for method, path in (("POST", ROUTE), ("POST", "/api/2.0/tidewaiter/rollback")):
        assert send(method, path, auth=NOBODY, json={}).status_code == 403
    assert send("GET", "/api/2.0/tidewaiter/ledger", auth=NOBODY).status_code == 403
    assert rules.calls == []
    assert send("PATCH", "/api/2.0/mlflow/users/update-password", auth=NOBODY, json={}).status_code == 200


def test_what_mlflow_says_to_a_change_of_an_account_is_noted(send, rules):
    send("POST", "/api/2.0/mlflow/users/create", json={})
    send("POST", ROUTE, json={})
    assert rules.answers == [("mlflow/users/create", 200)]


def test_whoever_waits_for_the_ledger_keeps_nobody_from_reading_and_is_told(guard, rules, monkeypatch):
    """One person's clicks took every thread there is while another program had the database locked for a minute."""
    locked = threading.Event()
    rules.judge = lambda call: locked.wait(20) and call
    monkeypatch.setattr(guards, "DECIDING_S", 0.2)

    async def run():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(guard), base_url="http://server", auth=ACCOUNT
        ) as client:
            signing = [asyncio.create_task(client.post(ROUTE, json={})) for _ in range(60)]
            await asyncio.sleep(0.1)
            begun = time.monotonic()
            read = await client.get("/", timeout=10)
            seconds = time.monotonic() - begun
            while sum(each.done() for each in signing) < 60 - guards.DECIDING_AT_ONCE:
                await asyncio.sleep(0.02)
            locked.set()
            return read, seconds, await asyncio.gather(*signing)

    read, seconds, answers = asyncio.run(run())
    assert (read.status_code, seconds < 5) == (200, True)
    assert sorted(answer.status_code for answer in answers) == [200] * 16 + [503] * 44
    assert sum("others have been waiting for the ledger" in answer.text for answer in answers) == 44


def test_a_body_without_anything_stays_empty_unless_the_rules_add_to_it(send, rules):
    assert send("DELETE", "/api/2.0/mlflow/logged-models/m-1").json() == {"seen": True}
    rules.judge = lambda call: call
    assert send("DELETE", "/api/2.0/mlflow/logged-models/m-1").content == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://elsewhere"}, 403),
        ({"Origin": "http://server:18099"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Referer": "http://server:18099/x"}, 403),
        ({"Host": "elsewhere"}, 403),
        ([("Origin", "http://server"), ("Origin", "http://server")], 400),
        ({"Origin": "http://server"}, 200),
    ],
)
def test_a_foreign_page_is_refused_before_anything_is_judged(send, rules, headers, status):
    assert send("POST", ROUTE, headers=headers, json={}).status_code == status
    assert len(rules.calls) == (status == 200)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Basic eDp5")],
        [("Authorization", "Bearer x")],
        [("Authorization", "Basic !")],
        [("Authorization", "Basic YW5hOg==")],
        [("Authorization", "Basic YW5hOnNlY3JldA=="), ("Authorization", "Basic YW5hOnNlY3JldA==")],
    ],
)
def test_without_one_account_nothing_is_judged(send, rules, headers):
    answer = send("POST", ROUTE, auth=None, headers=headers, json={})
    assert (answer.status_code, rules.calls) == (401, [])
    assert "Basic" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"{}"),
        ("application/x-www-form-urlencoded", b"key=a"),
        ("application/json", b'{"key": 1, "key": 2}'),
        ("application/json", b'{"tags": [{"key": 1, "k\\u0065y": 2}]}'),
        ("application/json", b'"{}"'),
        ("application/json", b"[]"),
        ("application/json", b"null"),
        ("application/json", b'{"runId": 1}'),
        ("application/json", b"\xef\xbb\xbf{}"),
        ("application/json", "{}".encode("utf-16")),
        ("application/json", b'{"a": \xff}'),
        ("application/json", b'{"a": ' + b"[" * 30_000),
        ("application/json", b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
        ("application/json", b"{} {}"),
    ],
)
def test_a_body_that_has_no_one_meaning_is_refused_and_noted(send, rules, kind, body):
    assert send("POST", ROUTE, content=body, headers={"Content-Type": kind}).status_code == 400
    assert rules.calls == []
    assert [actor for actor, _ in rules.noted] == ["ana"]


def test_compressed_bodies_queries_and_repeated_types_are_refused(send, rules):
    assert send("POST", ROUTE, json={}, headers={"Content-Encoding": "gzip"}).status_code == 400
    assert send("POST", f"{ROUTE}?key=a", json={}).status_code == 400
    both = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    assert send("POST", ROUTE, content=b"{}", headers=both).status_code == 400
    assert (rules.calls, len(rules.noted)) == ([], 3)


def test_a_body_that_is_too_large_is_not_read_to_its_end(send, rules):
    for account, most in ((DATA_SCIENTIST, LARGEST_BODY), (ACCOUNT, LARGEST_SENTENCE)):
        told = send("POST", ROUTE, auth=account, content=b" " * (most + 1))
        assert (told.status_code, str(most) in told.text) == (413, True)
        chunked = send("POST", ROUTE, auth=account, content=iter([b" " * most, b" "]))
        assert chunked.status_code == 413
    assert rules.calls == []


def test_own_routes(send):
    assert send("POST", "/api/2.0/tidewaiter/inspect", json={"version": "3"}).json() == {"inspected": "3"}
    assert send("POST", "/api/2.0/tidewaiter/registering", json={"author": "dan"}).json() == {"author": "dan"}
    assert send("POST", "/api/2.0/tidewaiter/criteria", json={"step": "confirm"}).json() == {"step": "confirm"}
    answer = send("POST", "/api/2.0/tidewaiter/rollback", json={})
    assert answer.status_code == 503
    assert answer.json()["message"].endswith("row 3 is missing")
    assert send("GET", "/api/2.0/tidewaiter/ledger?after=6").json()["rows"][0]["number"] == 7
    assert send("GET", "/api/2.0/tidewaiter/ledger").json()["rows"][0]["number"] == 1
    for after in ("x", "-1", "9" * 23, "٣", "1_0"):
        assert send("GET", f"/api/2.0/tidewaiter/ledger?after={after}").status_code == 400
    assert send("GET", "/api/2.0/tidewaiter/ledger", auth=None).status_code == 401


def test_the_network_is_told_who_looks(send, rules):
    for path, name in (("/network", "network"), ("/api/2.0/tidewaiter/network/search", "tidewaiter/network/search")):
        assert send("GET", path, auth=None, params={"source": "files"}).status_code == 401
        told = send("GET", path, params={"source": "files"}).json()
        assert told == {"name": name, "actor": ACCOUNT[0], "source": "files"}
        assert send("POST", path, json={}).status_code == 404
    assert rules.calls == []


def test_who_has_no_role_sees_no_page_and_who_has_another_only_those_for_all(send):
    for path in ("/network", "/network/page.js", "/api/2.0/tidewaiter/network/sources"):
        told = send("GET", path, auth=NOBODY, params={"source": "files"})
        assert (told.status_code, "new has no role: /network is for" in told.text) == (403, True)
    for path in ("/desk", "/api/2.0/tidewaiter/desk/queue"):
        told = send("GET", path, params={"source": "files"})
        assert (told.status_code, f"/desk is for officer, which {ACCOUNT[0]} is not" in told.text) == (403, True)
    for path in ("/desks", "/network2", "/api/2.0/tidewaiter/other/x"):
        assert send("GET", path).status_code == 404


def test_another_page_has_nothing_written_down_as_looked_at(send):
    asked = "/api/2.0/tidewaiter/network/company"
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for headers in (link, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, {"Origin": "http://evil"}):
        assert send("GET", asked, headers=headers, params={"source": "files"}).status_code == 403
    led = send("GET", "/network", headers=link, params={"source": "files", "company": "importer:I 1"})
    assert (led.status_code, led.headers["location"]) == (303, "/network")
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    assert send("GET", "/network", headers=own, params={"source": "files"}).status_code == 200


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_form_reaches_its_page_with_who_sends_it(send, rules):
    told = send("POST", "/signoff/versions/3", content=b"step=technical", headers=FORM)
    assert told.json() == {"name": "signoff/versions/3", "actor": ACCOUNT[0], "body": "step=technical"}
    assert send("POST", "/signoff/versions/3", auth=None, content=b"a=1", headers=FORM).status_code == 401
    assert send("POST", "/signoff/versions/3", auth=NOBODY, content=b"a=1", headers=FORM).status_code == 403
    assert send("POST", "/desk/cases/1", content=b"a=1", headers=FORM).status_code == 403
    for method in ("PUT", "DELETE", "PATCH"):
        assert send(method, "/signoff/versions/3", content=b"a=1", headers=FORM).status_code == 404
    assert rules.calls == []


def test_a_form_is_only_as_large_as_its_page_takes(send):
    for content in (b"a" * 41, [b"a" * 20, b"a" * 21]):
        assert send("POST", "/signoff/x", content=content, headers=FORM).status_code == 413
    assert send("POST", "/signoff/x", content=[b"a" * 20, b"b" * 20], headers=FORM).status_code == 200


def test_another_site_sends_no_form_but_its_links_lead_where_nothing_is_written_down(send):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for headers in (link, {"Origin": "http://evil"}, {"Origin": "null"}):
        assert send("POST", "/signoff/versions/3", content=b"a=1", headers=FORM | headers).status_code == 403
    assert send("GET", "/signoff/versions/3", headers=link, params={"source": "mail"}).status_code == 200
    assert send("GET", "/network/page.js", headers=link, params={"source": "mail"}).status_code == 403


def test_what_is_not_part_of_the_product_is_closed_to_everybody(send, rules):
    for account in (ACCOUNT, None):
        answer = send("POST", "/api/2.0/mlflow/webhooks", auth=account, json={})
        assert answer.status_code == 404
        assert json.loads(answer.content)["error_code"] == "ENDPOINT_NOT_FOUND"
    assert rules.calls == []


def test_websockets_are_closed(rules, tmp_path):
    sent = []

    async def run():
        async def send(message):
            sent.append(message)

        guard = Guard(None, entrance(), rules, Rows(), PAGES, front, EvidenceLock(tmp_path))
        await guard({"type": "websocket", "path": "/"}, None, send)

    asyncio.run(run())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_what_runs_beside_begins_and_ends_with_the_server(rules, tmp_path):
    happened = []

    @contextmanager
    def beside():
        happened.append("begins")
        yield
        happened.append("ends")

    async def inner(scope, receive, send):
        happened.append("serves")

    guard = Guard(inner, entrance(), rules, Rows(), PAGES, front, EvidenceLock(tmp_path), beside())
    asyncio.run(guard({"type": "lifespan"}, None, None))
    assert happened == ["begins", "serves", "ends"]


def test_a_trace_says_route_and_roles_and_nothing_of_who_asks_for_what(guard):
    """Each path names something that nobody should read in a trace."""
    asked = {
        "/network/I-1?source=I-1": "GET network",
        "/api/2.0/mlflow/runs/get?run_id=I-1": "GET pass",
        "/static-files/I-1.js": "GET open",
        "/I-1": "GET closed",
    }
    with traced() as found:
        client = TestClient(spans.around(guard), base_url="http://server")
        for path in asked:
            client.get(path, auth=ACCOUNT)
        client.post(ROUTE, auth=ACCOUNT, json={"key": "I-1"})
    told = [attributes(span) for span in found.spans]
    assert [each["http.route"] for each in told] == [*asked.values(), "POST mlflow/runs/set-tag"]
    assert [each.get("roles") for each in told] == ["risk-analyst", "risk-analyst", None, None, "risk-analyst"]
    assert not any(secret in found.content for secret in (b"I-1", b"\x03ana", b"secret"))
