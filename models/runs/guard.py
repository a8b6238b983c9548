"""The guard of Prefect: every request to its API and pages passes here before Prefect sees it.

It is an ASGI application around the whole of Prefect. It knows routes (routes.py), asks who is there
(models/access/entrance.py), and lets callers.py and rules.py decide on what they are handed: what goes on to Prefect is
written anew from what they read. It refuses whatever it cannot tell for certain.
"""

import json
from dataclasses import dataclass

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models import spans
from models.access import Account, Entrance, Refused, refuse_length, strict_json, whole
from models.runs import bodies, routes
from models.runs.callers import Caller, caller, refuse
from models.runs.routes import Kind, Route
from models.runs.rules import Body, Look, Rules, judge_event
from models.runs.sockets import Sockets
from models.single_sign_on import SignOn

LARGEST_OF_PEOPLE = 256 * 1024
LARGEST_OF_RUNS = 16 * 1024 * 1024  # logs and artifacts
# Prefect answers 503 if SQLite refused a write, which is then rolled back and safe to repeat.
REPEATS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)

_BUSY = 503
# Nothing of a page comes from elsewhere or goes there, not even the makers' count of clicks, and no page shows it in a
# frame. The pages have their styles and one script inline.
SECURITY = {
    b"content-security-policy": (
        b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
}


@dataclass
class Guard:
    """The guard around `inner`, which is Prefect's application without authentication of its own.

    Requests that change something take turns, in the order in which they came: SQLite has one writer, and lets those
    that wait try again by chance, so that some would wait for half a minute. `sign_on` answers its own addresses, where
    the house has one sign-on.
    """

    inner: ASGIApp
    entrance: Entrance
    rules: Rules
    sign_on: SignOn | None = None

    def __post_init__(self) -> None:
        self._sockets = Sockets(self.inner, self.entrance)
        self._turn = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._guard(scope, receive, _secured(send))
        else:
            await self._sockets(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        route = routes.find(method, scope["path"])
        spans.note(route.told)
        if route.kind is Kind.OPEN:
            await self.inner(bodies.without_secrets(scope), receive, send)
            return
        is_sign_on = self.sign_on is not None and self.sign_on.has(scope["path"])
        try:
            is_changing = method == "POST" if is_sign_on else route.is_changing
            self.entrance.refuse_foreign(method, Headers(scope=scope), is_changing)
            if self.sign_on and is_sign_on:
                answer = await self.sign_on.answer(Request(scope), _address(scope))
                await answer(scope, receive, send)
                return
            if route.kind is Kind.CLOSED:
                raise Refused(f"{method} {scope['path']!r} is not part of this product", 404)
            await self._answer(scope, receive, send, route)
        except Refused as refusal:
            led = self.sign_on.led(Request(scope)) if self.sign_on and refusal.status == 401 else None
            await (led or _refusal(refusal))(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        headers = Headers(scope=scope)
        account = await self.entrance.signed_in(headers, _address(scope))
        who = caller(account)
        spans.note(caller=who.name.lower())
        refuse(who, account.name, route)
        if route.name == routes.SETTINGS:
            await JSONResponse(_SHOWN_SETTINGS)(scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD"):
            await self.inner(bodies.without_secrets(scope), receive, send)
            return
        if route.is_changing and scope["query_string"]:
            raise Refused(f"{route.name} takes its fields in the body, and no query", 400)
        body = await self._body(who, account, headers, receive)
        if route.kind is Kind.READ:
            await self.inner(*bodies.handed_on(scope, body, receive), send)
            return
        body = await self._judged(who, account, route, body, headers)
        for message in await self._written(scope, receive, body):
            await send(message)

    async def _body(self, who: Caller, account: Account, headers: Headers, receive: Receive) -> bytes:
        if who in (Caller.UP, Caller.SERVICE):
            refuse_length(headers, LARGEST_OF_RUNS)
            return await whole(receive, LARGEST_OF_RUNS)
        refuse_length(headers, LARGEST_OF_PEOPLE)
        async with self.entrance.taking_in(account):
            return await whole(receive, LARGEST_OF_PEOPLE)

    async def _judged(self, who: Caller, account: Account, route: Route, body: bytes, headers: Headers) -> bytes:
        """Return the body as it is to be passed on."""
        said = strict_json.parse(body, headers) if body else {}
        if who is Caller.TELLER:
            return json.dumps(judge_event(said)).encode()
        if route.name in _LISTS:
            return body
        if not isinstance(said, dict):
            raise Refused("the body is not a JSON object", 400)
        passed = await self.rules.judge(who, account.name, route, said)
        return json.dumps(passed).encode() if passed or body else b""

    async def _written(self, scope: Scope, receive: Receive, body: bytes) -> list[Message]:
        """Return Prefect's answer; if it was too busy to write, that of another try.

        The answer is collected whole, since all others would wait for a slow reader.
        """
        for delay_s in (*REPEATS_S, None):
            answer: list[Message] = []

            async def keep(message: Message, kept: list[Message] = answer) -> None:
                kept.append(message)

            async with self._turn:
                await self.inner(*bodies.handed_on(scope, body, receive), keep)
            if delay_s is None or answer[0]["status"] != _BUSY:
                return answer
            await anyio.sleep(delay_s)
        raise AssertionError("the last try is answered")


# These replace Prefect's own settings; its pages need them: without them they count clicks for their makers.
_SHOWN_SETTINGS = {"server": {"analytics_enabled": False, "ui": {"show_promotional_content": False}}}
_LISTS = frozenset({routes.EVENTS, "POST /api/logs/"})


def look_into(inner: ASGIApp) -> Look:
    """Return a function that asks Prefect behind the guard; see rules.Look."""

    async def look(path: str) -> Body:
        status, parts = 0, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                parts.extend(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")],
            "client": None,
            "server": ("127.0.0.1", 80),
        }
        await inner(scope, receive, send)
        if status != 200:
            raise Refused(f"there is nothing at {path}", 404 if status < 500 else status)
        return json.loads(bytes(parts))

    return look


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _secured(send: Send) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, value)
                for name, value in message.get("headers", [])
                if name.lower() not in SECURITY and not name.lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": [*headers, *SECURITY.items()]}
        await send(message)

    return tell


def _refusal(refusal: Refused) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="tidewaiter", charset="UTF-8"'} if refusal.status == 401 else None
    # Prefect's pages read the first, its clients the second.
    said = {"detail": str(refusal), "exception_message": str(refusal)}
    return JSONResponse(said, refusal.status, headers)
