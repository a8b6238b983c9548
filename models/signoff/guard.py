"""The guard: every request to the MLflow server passes here, in one place, before MLflow sees it.

MLflow serves some routes by Flask and some natively, past any Flask hook, so this is ASGI around the whole application.
It knows routes (routes.py), asks who is there (MLflow's own accounts), and lets the rules (rules.py) decide on what
they are handed: the same bytes that go on to MLflow. Whatever it cannot tell for certain, it refuses.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.datastructures import Authorization

from models.signoff import routes
from models.signoff.book import ADMINISTRATOR
from models.signoff.call import Call, Refused
from models.signoff.chain import LedgerError
from models.signoff.ledger import Table
from models.signoff.routes import Kind
from models.signoff.rules import Rules

LARGEST_BODY = 32 * 1024 * 1024  # MLflow's own batches stay far below
ROWS_A_PAGE = 1000

_log = logging.getLogger(__name__)

# A name and password to the account's name and roles; None where they do not belong to one.
Authenticate = Callable[[str, str], tuple[str, Sequence[str]] | None]
# A method, Host and Origin to why a request of a browser may not come from there; None where it may.
Foreign = Callable[[str, str, str], str | None]
# A call of the page of the network of companies, and its query, to what it is told; Refused where there is nothing.
Answer = Callable[[Call, Mapping[str, str]], Response]


@dataclass(frozen=True)
class Guard:
    """`inner` is MLflow's application with its authentication."""

    inner: ASGIApp
    authenticate: Authenticate
    foreign: Foreign
    rules: Rules
    table: Table
    network: Answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._guard(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"].upper()  # as Flask reads it
        route = routes.find(method, scope["path"])
        try:
            if route.kind is Kind.PASS:
                await self.inner(scope, receive, send)
                return
            self._refuse_foreign(method, Headers(scope=scope))
            if route.kind is Kind.CLOSED:
                raise Refused(f"{method} {scope['path']!r} is not part of this product", 404)
            answer = await self._answer(scope, receive, send, method, route)
        except Refused as refusal:
            answer = _refusal(str(refusal), refusal.status)
        except LedgerError as error:
            _log.error("The ledger does not verify: %s", error)
            answer = _refusal(f"the ledger does not verify, so nothing is signed or promoted: {error}", 503)
        if answer is not None:
            await answer(scope, receive, send)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, method: str, route: routes.Route
    ) -> Response | None:
        """The guard's own answer; None where MLflow has answered."""
        account = await anyio.to_thread.run_sync(self._account, Headers(scope=scope))
        if account is None:
            return Response("Sign in first.", 401, {"WWW-Authenticate": 'Basic realm="mlflow"'})
        name, roles = account
        address = scope["client"][0] if scope.get("client") else ""
        call = Call(method, route.name, name, tuple(roles), address, f"{method} {scope['path']}", {})
        if route.kind is Kind.NETWORK:
            return await anyio.to_thread.run_sync(self.network, call, Request(scope).query_params)
        if route.kind is Kind.ARTIFACT:
            await anyio.to_thread.run_sync(self.rules.judge_artifact, call, routes.artifact_path(route.name))
            await self.inner(scope, receive, send)
            return None
        if method == "GET":
            return await anyio.to_thread.run_sync(self._rows, Request(scope).query_params.get("after", "0"))
        body = await _whole(receive)
        call = await anyio.to_thread.run_sync(self._read, call, body, scope)
        if route.kind is Kind.OWN:
            act = self.rules.inspect if route.name == "tidewaiter/inspect" else self.rules.roll_back
            return JSONResponse(await anyio.to_thread.run_sync(act, call))
        passed = await anyio.to_thread.run_sync(self.rules.judge, call)
        if passed.body.get("value") != call.body.get("value"):
            send = _telling(passed.body, send)
        await self.inner(*_with_body(scope, json.dumps(passed.body).encode() if body or passed.body else b""), send)
        return None

    def _read(self, call: Call, body: bytes, scope: Scope) -> Call:
        with self.rules.noting(call):
            if scope["query_string"]:  # MLflow reads some fields from either place
                raise Refused(f"{call.method} {call.name} takes its fields in the body, and no query", 400)
            return replace(call, body=_json(body, Headers(scope=scope)) if body else {})

    def _refuse_foreign(self, method: str, headers: Headers) -> None:
        """What MLflow refuses behind the guard must not be in the ledger already."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or len(origins) > 1:
            raise Refused("Host and Origin: allowed is one of each", 400)
        if why := self.foreign(method, hosts[0], "".join(origins)):
            raise Refused(why)

    def _account(self, headers: Headers) -> tuple[str, Sequence[str]] | None:
        given = headers.getlist("authorization")
        if len(given) != 1:
            return None
        parsed = Authorization.from_header(given[0])
        if parsed is None or parsed.type != "basic" or not parsed.username or not parsed.password:
            return None
        return self.authenticate(parsed.username, parsed.password)

    def _rows(self, after: str) -> Response:
        if not after.isascii() or not after.isdigit():
            raise Refused(f"after is {after!r}; allowed: the number of a row", 400)
        rows = self.table.rows(int(after), ROWS_A_PAGE)
        return JSONResponse({"rows": [row.model_dump() for row in rows]})


def roles_of(names: Iterable[str], is_administrator: bool) -> tuple[str, ...]:
    """Roles as the ledger has them: MLflow's, and its administrator's flag as one more.

    Not those that MLflow makes by itself, to keep what one account was granted.

    >>> roles_of(["reviewer", "auditor", "__user_3__"], is_administrator=True)
    ('administrator', 'auditor', 'reviewer')
    """
    flagged = {ADMINISTRATOR} if is_administrator else set()
    return tuple(sorted({*(name for name in names if not name.startswith("__")), *flagged}))


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("the request broke off", 400)
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise Refused(f"the body is larger than {LARGEST_BODY} bytes", 413)
        if not message.get("more_body", False):
            return bytes(body)


def _json(body: bytes, headers: Headers) -> dict[str, object]:
    """The one object that a body says; refused where two readers could understand it in two ways."""
    kinds = headers.getlist("content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != "application/json":
        raise Refused(f"Content-Type is {', '.join(kinds) or 'missing'}; allowed: application/json", 400)
    if headers.get("content-encoding"):
        raise Refused("the body is compressed; allowed: plain JSON", 400)
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not JSON that has one meaning: {error}", 400) from None
    if not isinstance(found, dict):
        raise Refused("the body is not a JSON object", 400)
    if camel := next((key for key in found if key != key.lower()), None):
        # MLflow reads runId as run_id: one name for one thing is enough.
        raise Refused(f"field {camel!r}; allowed are names in lower case, as run_id", 400)
    return found


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _with_body(scope: Scope, body: bytes) -> tuple[Scope, Receive]:
    """The request with this body instead, and what tells its length."""
    dropped = (b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in dropped]
    is_sent = False

    async def receive() -> Message:
        nonlocal is_sent
        if is_sent:
            return {"type": "http.disconnect"}
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}, receive


def _telling(tag: Mapping[str, object], send: Send) -> Send:
    """Sends what MLflow sends; in place of its empty answer to a signature, the tag as it stands now."""
    answer = JSONResponse({"tag": {"key": tag["key"], "value": tag["value"]}})
    is_stored = False

    async def tell(message: Message) -> None:
        nonlocal is_stored
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
            is_stored = True
            message = {**message, "headers": answer.raw_headers}
        elif is_stored:
            if message.get("more_body", False):
                return
            message = {**message, "body": answer.body}
        await send(message)

    return tell


def _refusal(sentence: str, status: int) -> Response:
    codes = {400: "INVALID_PARAMETER_VALUE", 403: "PERMISSION_DENIED", 404: "ENDPOINT_NOT_FOUND"}
    return JSONResponse({"error_code": codes.get(status, "INTERNAL_ERROR"), "message": sentence}, status)
