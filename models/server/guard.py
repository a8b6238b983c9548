"""The guard: every request to the MLflow server passes here, in one place, before MLflow sees it.

MLflow serves some routes by Flask and some natively, past any Flask hook, so this is an ASGI application around the
whole. It knows routes (routes.py), asks who is there (entrance.py), and lets the rules (rules.py) decide. A body that
they decide on is read once, and goes on to MLflow as it was judged. It refuses whatever it cannot tell for certain.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TypeVar

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models import spans
from models.access import (
    Account,
    Call,
    Entrance,
    Refused,
    account_changes,
    accounts,
    refuse_length,
    row_number,
    strict_json,
    whole,
)
from models.ledger import LedgerError, storage
from models.server import routes, uploads
from models.server.introduced import introduced
from models.server.pages import OWN, Page
from models.server.routes import Kind
from models.server.rules import Rules
from models.server.uploads import EvidenceLock
from models.single_sign_on import SignOn

LARGEST_BODY = 32 * 1024 * 1024  # for those who write runs: MLflow's own batches stay far below
LARGEST_SENTENCE = 64 * 1024  # for everybody else: a decision, a password, a question
ROWS_A_PAGE = 1000
DECIDING_AT_ONCE = 16  # some of the threads that all requests share: waiting for the ledger keeps nobody from reading
DECIDING_S = 60.0  # how long a decision waits for those before it

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Guard:
    """The guard around `inner`, which is MLflow's application with its authentication.

    `beside` is entered when the server starts, and left when it ends. `sign_on` answers its own addresses, where the
    house has one sign-on.
    """

    inner: ASGIApp
    entrance: Entrance
    rules: Rules
    table: storage.Table
    pages: Sequence[Page]
    front: Callable[[Collection[str]], Response]
    lock: EvidenceLock
    beside: AbstractContextManager[object] = field(default_factory=nullcontext)
    sign_on: SignOn | None = None
    _places: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(DECIDING_AT_ONCE), init=False, repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            with self.beside:
                await self.inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._guard(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks websocket

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"].upper()  # as Flask reads it
        route = routes.find(method, scope["path"], self.pages)
        spans.note(f"{method} {route.told}")
        try:
            if route.kind is Kind.OPEN:
                await self.inner(scope, receive, send)
                return
            headers, is_sign_on = Headers(scope=scope), self.sign_on is not None and self.sign_on.has(scope["path"])
            self.entrance.refuse_foreign(method, headers, method == "POST" if is_sign_on else route.leaves_trace)
            if self.sign_on and is_sign_on:
                answer = await self.sign_on.answer(Request(scope), _address(scope))
                await answer(scope, receive, send)
                return
            if route.kind is Kind.CLOSED:
                raise Refused(f"{method} {scope['path']!r} is not part of this product", 404)
            answer = await self._answer(scope, receive, send, method, route)
        except Refused as refusal:
            is_unknown = refusal.status == HTTPStatus.UNAUTHORIZED
            led = self.sign_on.led(Request(scope)) if self.sign_on and is_unknown else None
            answer = led or _refusal(str(refusal), refusal.status)
        except storage.NotSigned as error:
            answer = _refusal(str(error), 503)
        except LedgerError as error:
            _log.error("The ledger does not verify: %s", error)
            answer = _refusal(f"the ledger does not verify, so nothing is signed or promoted: {error}", 503)
        if answer is not None:
            await answer(scope, receive, send)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, method: str, route: routes.Route
    ) -> Response | None:
        """Return the guard's own answer; None if MLflow has answered."""
        headers, address = Headers(scope=scope), _address(scope)
        account = await self.entrance.signed_in(headers, address)
        call = _call(account, method, route.name, address, scope)
        spans.note(roles=" ".join(sorted(call.roles)))
        if route.kind is Kind.FRONT:
            return await anyio.to_thread.run_sync(self.front, call.roles)
        if route.kind is Kind.PAGE and route.page is not None:
            return await anyio.to_thread.run_sync(_shown, route.page, call, Request(scope))
        if route.kind is Kind.FORM and route.page is not None:
            return await self._acted(route.page, account, call, Request(scope), receive)
        scope = introduced(_without_origin(scope), account.name)
        if route.kind is Kind.PASS and method in ("GET", "HEAD", "OPTIONS"):
            await self.inner(scope, receive, send)
            return None
        if method == "GET":
            return await anyio.to_thread.run_sync(self._rows, call, Request(scope).query_params.get("after", "0"))
        most = LARGEST_BODY if _writes_runs(call) else LARGEST_SENTENCE
        await self._decided(call, self._refuse_unread, call, route, headers, most)
        if route.kind is Kind.ARTIFACT:
            async with self.entrance.taking_in(account):
                await self._write_file(call, routes.artifact_path(route.name), scope, receive, send)
            return None
        async with self.entrance.taking_in(account):
            body = await whole(receive, most)
        if route.kind is Kind.PASS:
            await self.inner(*_with_body(scope, body), send)
            return None
        call = await self._decided(call, self._read, call, body, scope)
        if route.kind is Kind.OWN:
            acts = {
                "tidewaiter/inspect": self.rules.inspect,
                "tidewaiter/rollback": self.rules.roll_back,
                "tidewaiter/registering": self.rules.judge_registration,
                "tidewaiter/criteria": self.rules.take_step,
            }
            return JSONResponse(await self._decided(call, acts[route.name], call))
        async with self.lock.around(call.name):
            await self._pass(call, body, scope, send)
        return None

    async def _acted(self, page: Page, account: Account, call: Call, request: Request, receive: Receive) -> Response:
        """Return what a page answers to a form that was sent to it."""
        page.refuse_stranger(call)
        refuse_length(request.headers, page.largest)
        async with self.entrance.taking_in(account):
            body = await whole(receive, page.largest)
        assert page.act is not None  # otherwise there would be no such route
        return await self._decided(call, page.act, call, request, body)

    async def _pass(self, call: Call, body: bytes, scope: Scope, send: Send) -> None:
        """Judge the request that was taken in, and have MLflow answer it."""
        passed = await self._decided(call, self.rules.judge, call)
        if account_changes.ROUTES.fullmatch(call.name):
            send = _noting_answer(self.rules, call, send)
        if passed.body.get("value") != call.body.get("value"):
            send = _telling(passed.body, send)
        await self.inner(*_with_body(scope, json.dumps(passed.body).encode() if body or passed.body else b""), send)

    async def _write_file(self, call: Call, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a file before it is taken in, and again when it is there: it may belong to a version by then."""
        await self._decided(call, self.rules.judge_artifact, call, path)
        async with uploads.taken_in(receive, Headers(scope=scope)) as file, self.lock.writing():
            await self._decided(call, self.rules.judge_artifact, call, path)
            await self.inner(scope, file, send)

    async def _decided(self, call: Call, decide: Callable[..., _T], *given: object) -> _T:
        """Return what the rules decide, which may wait for the ledger; NotSigned if too many wait before it."""
        if call.is_service:  # its runs are few, and no person waits for it
            return await anyio.to_thread.run_sync(decide, *given)
        try:
            with anyio.fail_after(DECIDING_S):
                await self._places.acquire()
        except TimeoutError:
            raise storage.NotSigned(
                f"others have been waiting for the ledger for {DECIDING_S:.0f} s: try again"
            ) from None
        try:
            return await anyio.to_thread.run_sync(decide, *given)
        finally:
            self._places.release()

    def _refuse_unread(self, call: Call, route: routes.Route, headers: Headers, most: int) -> None:
        """Refuse what can be refused before any of the body is taken in."""
        if route.kind is Kind.PASS:
            refuse_length(headers, most)
            return
        with self.rules.noting(call):
            if not (call.roles or call.is_service or call.name == account_changes.OWN_PASSWORD):
                raise Refused(f"{call.actor} has no role, and so changes nothing")
            if route.kind is not Kind.ARTIFACT:
                refuse_length(headers, most)
            elif not _writes_runs(call):
                raise Refused(f"files are written by the role {accounts.DATA_SCIENTIST}, which {call.actor} has not")

    def _read(self, call: Call, body: bytes, scope: Scope) -> Call:
        with self.rules.noting(call):
            if scope["query_string"]:  # MLflow reads some fields from either place
                raise Refused(f"{call.method} {call.name} takes its fields in the body, and no query", 400)
            return replace(call, body=_json(body, Headers(scope=scope)) if body else {})

    def _rows(self, call: Call, after: str) -> Response:
        if not (call.roles or call.is_service):
            raise Refused(f"{call.actor} has no role: the ledger is for those who have one")
        rows = self.table.rows(row_number(after), ROWS_A_PAGE)
        return JSONResponse({"rows": [row.model_dump() for row in rows]})


def _call(account: Account, method: str, name: str, address: str, scope: Scope) -> Call:
    numbers = {role.name: role.number for role in account.roles}
    request = f"{method} {scope['path']}"
    return Call(method, name, account.name, account.role_names, address, request, {}, numbers, account.is_by_token)


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _shown(page: Page, call: Call, request: Request) -> Response:
    """Return what a page answers, unless something else led the visitor to it."""
    page.refuse_stranger(call)
    is_opened = call.name == page.prefix
    if is_opened and request.url.query and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # The visitor would be noted as having looked at what the address asks for.
        return RedirectResponse(f"/{page.prefix}", 303)
    if call.name.startswith(f"{OWN}/") and request.headers.get("sec-fetch-dest", "empty") != "empty":
        # Anybody can put a picture or a link into a description that others look at.
        raise Refused(f"this is opened by the page /{page.prefix}, and by nothing that leads to it")
    return page.answer(call, request)


def _writes_runs(call: Call) -> bool:
    return call.is_service or call.is_administrator or accounts.DATA_SCIENTIST in call.roles


def _without_origin(scope: Scope) -> Scope:
    """Return the request without Origin: the application would judge pages by its own rules and list of names."""
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"origin"]}


def _json(body: bytes, headers: Headers) -> dict[str, object]:
    """Return the object that a body holds; Refused if MLflow could understand it in another way."""
    if not headers.getlist("content-type"):
        raise Refused("Content-Type is missing; allowed: application/json", 400)
    found = strict_json.parse(body, headers)
    if not isinstance(found, dict):
        raise Refused("the body is not a JSON object", 400)
    if camel := next((key for key in found if key != key.lower()), None):
        # MLflow reads runId as run_id: one name for one thing is enough.
        raise Refused(f"field {camel!r}; allowed are names in lower case, as run_id", 400)
    return found


def _with_body(scope: Scope, body: bytes) -> tuple[Scope, Receive]:
    """Return the request with this body instead, and with headers that state its length."""
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
    """Return a `send` that answers a signature with the tag as it stands now, in place of MLflow's empty answer."""
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


def _noting_answer(rules: Rules, call: Call, send: Send) -> Send:
    """Return a `send` that notes MLflow's status in the ledger before it sends the answer."""

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            await anyio.to_thread.run_sync(rules.answered, call, message["status"])
        await send(message)

    return note


def _refusal(sentence: str, status: int) -> Response:
    if status == HTTPStatus.UNAUTHORIZED:
        return Response(sentence, status, {"WWW-Authenticate": 'Basic realm="mlflow"'})
    codes = {
        400: "INVALID_PARAMETER_VALUE",
        403: "PERMISSION_DENIED",
        404: "ENDPOINT_NOT_FOUND",
        429: "REQUEST_LIMIT_EXCEEDED",
    }
    return JSONResponse({"error_code": codes.get(status, "INTERNAL_ERROR"), "message": sentence}, status)
