"""Websockets of Prefect: the account is known before anything passes, and checked again while they stay open.

A browser signs in by its handshake, by password or session, and so do Prefect's newer clients by password; others send
name and password in their first message, as in Prefect's protocol: {"type": "auth", "token": "name:password"}.
"""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.access import Account, Entrance, Refused
from models.runs.bodies import without_secrets
from models.runs.callers import caller, may_connect
from models.runs.routes import Socket, find_socket

FIRST_MESSAGE_S = 10.0
ASK_AGAIN_S = 60.0
MOST_WAITING = 32  # websockets that have not said yet who they are
SUBPROTOCOL = "prefect"
_LONGEST_FIRST = 4_096
_POLICY = 1008

SignIn = Callable[[], Awaitable[Account]]


@dataclass
class Sockets:
    """The websockets of one server."""

    inner: ASGIApp
    entrance: Entrance
    _waiting: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a websocket on to Prefect, or close it."""
        try:
            socket = find_socket(scope["path"])
            if socket is Socket.CLOSED:
                raise Refused(f"websocket {scope['path']!r} is not part of this product", 404)
            headers = Headers(scope=scope)
            self.entrance.refuse_foreign("GET", headers, is_changing=True)
            address = scope["client"][0] if scope.get("client") else ""
            first: Message | None = None
            if "authorization" in headers or (self.entrance.sessions and "cookie" in headers):
                # A page that is left open keeps its websocket, and makes it anew, without anybody there.
                sign_in: SignIn = partial(self.entrance.signed_in, headers, address, is_use=False)
            else:
                sign_in, first = await self._introduced(scope, receive, send, address)
            passing = _Passing(socket, sign_in, receive, send, first)
            await passing.ask()
        except Refused as refusal:
            # Before the websocket is accepted, this answers the handshake with 403.
            await send({"type": "websocket.close", "code": _POLICY, "reason": str(refusal)[:100]})
            return
        await self.inner(without_secrets(scope), passing.receive, passing.send)

    async def _introduced(self, scope: Scope, receive: Receive, send: Send, address: str) -> tuple[SignIn, Message]:
        """Accept the websocket, and take the first message, which says who is there."""
        if SUBPROTOCOL not in scope.get("subprotocols", []):
            raise Refused("Sign in first.", 401)
        if self._waiting >= MOST_WAITING:
            raise Refused("too many have not said yet who they are", 429)
        self._waiting += 1
        try:
            with anyio.fail_after(FIRST_MESSAGE_S):
                await receive()  # websocket.connect
                await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
                first = await receive()
        except TimeoutError:
            raise Refused("Sign in first.", 401) from None
        finally:
            self._waiting -= 1
        name, password = _said(first)
        return partial(self.entrance.signed_in_as, name, password, address), first


@dataclass
class _Passing:
    """One websocket between client and Prefect, for as long as its account may have it."""

    socket: Socket
    sign_in: SignIn
    outer_receive: Receive
    outer_send: Send
    first: Message | None
    _asked_at: float = field(default=0.0, init=False)
    _is_begun: bool = field(default=False, init=False)
    _is_closed: bool = field(default=False, init=False)

    async def ask(self) -> None:
        """Raise Refused if the account may not have this websocket, or not any more."""
        account = await self.sign_in()
        if not may_connect(caller(account), self.socket):
            raise Refused(f"this websocket is not for {account.name}")
        self._asked_at = time.monotonic()

    async def receive(self) -> Message:
        if self.first is not None:  # the guard has taken these messages already
            if not self._is_begun:
                self._is_begun = True
                return {"type": "websocket.connect"}
            first, self.first = self.first, None
            return first
        message = await self.outer_receive()
        if message["type"] == "websocket.receive" and not await self._may_go_on():
            return {"type": "websocket.disconnect", "code": _POLICY}
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept" and self.first is not None:
            return  # accepted already
        if await self._may_go_on():
            await self.outer_send(message)

    async def _may_go_on(self) -> bool:
        if self._is_closed:
            return False
        if time.monotonic() - self._asked_at > ASK_AGAIN_S:
            try:
                await self.ask()
            except Refused as refusal:
                self._is_closed = True
                await self.outer_send({"type": "websocket.close", "code": _POLICY, "reason": str(refusal)[:100]})
        return not self._is_closed


def _said(first: Message) -> tuple[str, str]:
    """Return name and password of a first message; Refused if it has none."""
    text = first.get("text") or ""
    try:
        said = json.loads(text) if len(text) <= _LONGEST_FIRST else None
    except (ValueError, RecursionError):
        said = None
    token = said.get("token") if isinstance(said, dict) and said.get("type") == "auth" else None
    name, colon, password = token.partition(":") if isinstance(token, str) else ("", "", "")
    if not (name and colon and password):
        raise Refused("Sign in first.", 401)
    return name, password
