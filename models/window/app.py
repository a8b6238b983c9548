"""The window on the network: machines ask by HTTP, each with its token, and are told what their role may know.

Customs' own system is told lane, score and reasons. A trader's system is told whether the goods are released or held,
and what to present; the answer looks the same whether chance, value or a rule holds them, and leaves at moments that do
not depend on what was decided. What is wrong with a declaration is told to both alike, because it is the declarant's to
mend.
"""

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import msgspec
import polars as pl
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Lifespan

from features import messages
from features.messages import answers
from models import spans
from models.access import Account, Entrance, Refused, machines, refuse_length, strict_json, whole
from models.access.accounts import DECLARING, METRICS, TRADE
from models.access.tokens import Machine, Tokens
from models.decisions import Decision, DecisionLog, Document
from models.evidence import digests
from models.ledger import Entry, LedgerError, storage
from models.reasons import LANGUAGES
from models.window import openapi, telling
from models.window.answering import Asked
from models.window.deciding import Decider, NotDecided, NotYours
from models.window.measured import Measured
from models.window.telling import Answer

MOST_OF_A_FORM = 10_000
RETRY_AFTER_S = 2
# Answers to a trader's system leave at whole multiples of this after the request came in.
STEP_S = 0.25

_log = logging.getLogger(__name__)
_UNNOTED = (storage.NotSigned, LedgerError)
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Window:
    """Holds what the window's routes work with.

    `now` gives the instant with its zone, the administration's legal one. `note` writes into the ledger of sign-off who
    made and revoked tokens. `tables` are customs' own, for what a message leaves to them.
    """

    decider: Decider
    log: DecisionLog
    tokens: Tokens
    entrance: Entrance
    now: Callable[[], datetime]
    note: Callable[[Entry], None]
    tables: messages.Tables | None = None
    lifespan: Lifespan | None = None
    measured: Measured = field(default_factory=Measured, init=False)

    def app(self) -> Starlette:
        """Return the application; it has read a message, since the first one imports the rules, for seconds."""
        messages.read(msgspec.json.encode(openapi.EXAMPLE), "application/json", self.now().replace(tzinfo=None))
        routes = [
            Route("/window/health", self._health),
            Route("/window/openapi.json", self._openapi),
            Route("/window/metrics", self._metrics),
            Route("/window/days", self._days),
            Route("/window/declarations", self._declarations, methods=["POST"]),
            Route("/window/tokens", self._tokens, methods=["GET", "POST"]),
            Route("/window/tokens/{name}", self._revoke, methods=["DELETE"]),
        ]
        handlers = {Refused: _refused, 404: _unknown, 405: _unknown, **dict.fromkeys(_UNNOTED, _unnoted)}
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=self.lifespan)

    async def _health(self, request: Request) -> Response:
        """Say whether the window decides, and nothing else: nobody has to sign in for this."""
        machines.refuse_page(request, self.entrance.names)
        is_ready = self.decider.is_ready
        return _json({"is_ready": is_ready}, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _openapi(self, request: Request) -> Response:
        await self._machine(request)
        return _json(openapi.DOCUMENT)

    async def _metrics(self, request: Request) -> Response:
        """Tell a monitoring system how the window answers, in Prometheus's text format."""
        await machines.admitted(request, self.tokens, self.entrance.names, (METRICS,))
        return Response(self.measured.text(), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    async def _days(self, request: Request) -> Response:
        """Tell commitments, and the secrets of days that are over: whoever was drawn by chance can check it."""
        await self._machine(request)
        days = await anyio.to_thread.run_sync(self.log.days)
        return _json(
            {"days": [{"day": str(day), "commitment": given, "secret": secret} for day, given, secret in days]}
        )

    async def _declarations(self, request: Request) -> Response:
        came_at = time.monotonic()
        machine = await self._machine(request)
        spans.note("POST /window/declarations", role=machine.role)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in messages.KINDS:
            raise Refused(f"Content-Type is {kind[:60]!r}; allowed: {', '.join(messages.KINDS)}", 415)
        language = request.query_params.get("language", "en")
        if language not in LANGUAGES:
            raise Refused(f"language is {language[:20]!r}; allowed: {', '.join(LANGUAGES)}", 400)
        accept = request.headers.getlist("accept")
        form = telling.form(accept)
        if form is None:
            raise Refused(f"Accept is {', '.join(accept)[:100]!r}; allowed: {', '.join(telling.FORMS)}", 406)
        refuse_length(request.headers, messages.MOST_BYTES)
        content = await whole(request.receive, messages.MOST_BYTES)
        answer = await self._answered(content, kind, form, machine, language, came_at)
        self.measured.answered(machine.role, answer.status_code, time.monotonic() - came_at)
        if machine.role == TRADE:
            steps = math.floor((time.monotonic() - came_at) / STEP_S) + 1
            await asyncio.sleep(came_at + steps * STEP_S - time.monotonic())
        return answer

    async def _answered(
        self, content: bytes, kind: str, form: str, machine: Machine, language: str, came_at: float
    ) -> Response:
        """Return the answer to a message: each of its declarations is decided, or refused with what is wrong."""
        received_at = self.now()
        reading = partial(messages.read, content, kind, received_at.replace(tzinfo=None), tables=self.tables)
        with spans.span("read"):
            read = await anyio.to_thread.run_sync(reading)
        taken, refused = _sorted_out(read, None if form == telling.JSON else answers.LONGEST_REFERENCE)
        digest = hashlib.sha256(content).hexdigest()
        documents, tables = {digest: Document(kind, content)}, ""
        if self.tables:
            tables = self.tables.digest
            documents[tables] = Document(telling.JSON, self.tables.as_json)
        is_own_alone = machine.role == TRADE
        asked = [Asked(rows, digest, machine.name, language, received_at, is_own_alone, tables) for rows in taken]
        decisions: list[Decision] = []
        if asked:
            try:
                waiting = self.decider.ask(asked, documents, came_at)
                decisions = await asyncio.wrap_future(waiting)
            except NotYours as error:
                allowed = "a reference that no other declarant has used"
                refused = [messages.Refusal(str(error), None, "declaration_id", str(error), allowed)]
            except NotDecided as error:
                _log.warning("No answer to %s: %s", machine.name, error)
                again = {"Retry-After": str(RETRY_AFTER_S)}
                return _json({"error": "nothing can be decided now; ask again"}, HTTPStatus.SERVICE_UNAVAILABLE, again)
        self.measured.decided(decisions)
        answer = Answer(decisions, refused, digest, received_at)
        status = HTTPStatus.OK if decisions else HTTPStatus.UNPROCESSABLE_ENTITY
        told = await anyio.to_thread.run_sync(answer.written, form, machine.role)  # half a second, for 1,000 in XML
        return Response(told, status, _NO_STORE, form)

    async def _tokens(self, request: Request) -> Response:
        """List machines, or make a token for one, which is in the answer and nowhere else; for administrators."""
        account = await self._administrator(request)
        if request.method == "GET":
            machines = await anyio.to_thread.run_sync(self.tokens.machines)
            return _json({"machines": [asdict(each) for each in machines]})
        body = strict_json.parse(await whole(request.receive, MOST_OF_A_FORM), request.headers)
        if not (isinstance(body, dict) and body.keys() == {"name", "role"} and all(map(_is_text, body.values()))):
            raise Refused('the body is no such JSON; allowed: {"name": "...", "role": "..."}', 400)
        name, role = body["name"], body["role"]
        token = await self._done(
            request, account, {"token": name, "role": role}, self.tokens.make, name, role, account.name
        )
        return _json({"name": name, "role": role, "token": token}, HTTPStatus.CREATED)

    async def _revoke(self, request: Request) -> Response:
        account, name = await self._administrator(request), request.path_params["name"]
        await self._done(request, account, {"token": name, "revoked": True}, self.tokens.revoke, name)
        return _json({"name": name})

    async def _done(
        self, request: Request, account: Account, what: Mapping[str, object], do: Callable[..., Any], *given: str
    ) -> Any:  # noqa: ANN401  whatever `do` returns
        """Do something about tokens and note it in the ledger; if it cannot be noted, it is not done.

        Refused if a personal token stands for the administrator, as a machine's token outlives it.
        """
        if account.is_by_token:
            raise Refused("a personal token makes and revokes no machine's: bring an administrator's password")
        entry = Entry(
            at=storage.now(),
            actor=account.name,
            roles=account.role_names,
            address=request.client.host if request.client else "",
            request=f"{request.method} {request.url.path}",
            action="account",
            reason=digests.canonical(dict(what)).decode(),
        )

        def do_it() -> Any:  # noqa: ANN401
            self.note(entry)
            return do(*given)

        try:
            return await anyio.to_thread.run_sync(do_it)
        except ValueError as error:
            raise Refused(str(error), 400) from error

    async def _administrator(self, request: Request) -> Account:
        """Return the administrator who asks; Refused if it is nobody of the kind."""
        machines.refuse_page(request, self.entrance.names)
        address = request.client.host if request.client else ""
        account = await self.entrance.signed_in(request.headers, address)
        if not account.is_administrator:
            raise Refused(f"tokens are an administrator's business, which {account.name} is not")
        return account

    async def _machine(self, request: Request) -> Machine:
        """Return the machine that asks about declarations; Refused if it is no such machine."""
        return await machines.admitted(request, self.tokens, self.entrance.names, DECLARING)


def _sorted_out(read: messages.Read, longest: int | None) -> tuple[list[pl.DataFrame], list[messages.Refusal]]:
    """Return the rows of each declaration that is taken, by item, and all refusals; one item refuses all others.

    `longest` is how many characters of a reference the answer has room for; None for all that are read.
    """
    refusals = list(read.refusals)
    parts = read.rows.sort("item_number", maintain_order=True).partition_by("declaration_id", maintain_order=True)
    for rows in parts:
        one, offices = rows["declaration_id"][0], rows["office"].unique(maintain_order=True).to_list()
        if len(offices) > 1:
            refusals.append(messages.Refusal(one, None, "office", ", ".join(offices), "one office for all its items"))
        if longest and len(one) > longest:
            allowed = f"at most {longest} characters, if the answer is to be XML"
            refusals.append(messages.Refusal(one, None, "declaration_id", one, allowed))
    names = {each.declaration for each in refusals}
    taken = [] if None in names else [rows for rows in parts if rows["declaration_id"][0] not in names]
    return taken, refusals


def _json(content: object, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, {**_NO_STORE, **(headers or {})}, "application/json")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refused) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = (
        {"WWW-Authenticate": 'Bearer realm="window", Basic realm="window"'} if status == HTTPStatus.UNAUTHORIZED else {}
    )
    return _json({"error": str(error)}, status, headers)


async def _unnoted(request: Request, error: Exception) -> Response:
    sentence = f"nothing was done, since the ledger cannot note it: {error}"
    return _json({"error": sentence}, HTTPStatus.SERVICE_UNAVAILABLE)


async def _unknown(request: Request, error: Exception) -> Response:
    return _json(
        {"error": f"{request.method} {request.url.path[:100]} is not part of the window"}, HTTPStatus.NOT_FOUND
    )
